"""The node's identity on chain: registered once, found again, announced where it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from knet.chain.devchain import fund
from knet.errors import ChainError, ChainUnreachable, NotRegistered, TransactionFailed
from knet.records import Head

from ..node import Node, network_of
from ..state import State
from . import manifest_log

if TYPE_CHECKING:
    from knet.chain.evm import EvmChain


class Identity(NamedTuple):
    """Who the node is on one network, and what it published there last."""

    network: str  # chain id and identity registry
    node: int
    head: Head | None


def find_identity(node: Node, state: State) -> int | None:
    """The node's id on its network, if it has one that its key still signs for. Raises ChainUnreachable."""
    known = state.meta(f"identity {network_of(node)}")
    if known and _is_ours(node.chain, int(known), node.signer.address):
        return int(known)
    # A first publication may have been cut off after it registered, and a state may have been lost.
    mine = [
        entry.node for entry in node.chain.registry_snapshot().nodes.values() if entry.wallet == node.signer.address
    ]
    return max(mine, default=None)


def ensure_registered(node: Node, state: State) -> Identity:
    """The node's identity, registered if need be. Raises TransactionFailed and ChainUnreachable."""
    network = network_of(node)
    number = find_identity(node, state)
    if number is None:
        endpoint = node.config.public_endpoint
        with funded(node):
            number = node.chain.register(node.signer, endpoint)
        _remember(state, f"endpoint {network}", endpoint)
    _remember(state, f"identity {network}", str(number))
    return Identity(network, number, next(reversed(node.chain.manifests.heads(number, unconfirmed=True)), None))


def is_head_on_chain(node: Node) -> bool:
    """Whether what the node published last is its head on chain, so that it can answer before anything is synced.

    A chain that is away is taken at its last word.
    """
    with node.open_state() as state:
        last = manifest_log.head(state, network_of(node))
    if last is None:
        return False
    try:
        heads = node.chain.manifests.heads(last.node)
    except NotRegistered:
        return False
    except ChainUnreachable:
        return True
    return bool(heads) and heads[-1].manifest == last.manifest


def announce_endpoint(node: Node, state: State) -> str:
    """Tell the chain where the node answers, if that changed: the transaction hash, or nothing.

    Raises NotRegistered before the first publication, TransactionFailed and ChainUnreachable.
    """
    key, endpoint = f"endpoint {network_of(node)}", node.config.public_endpoint
    number = find_identity(node, state)
    if number is None:
        raise NotRegistered(f"node {node.name} is not registered.", hint="Run `knet node publish` first.")
    if state.meta(key) == endpoint.encode():
        return ""
    with funded(node):
        transaction = node.chain.set_endpoint(node.signer, number, endpoint)
    _remember(state, key, endpoint)
    return transaction


@contextmanager
def funded(node: Node) -> Iterator[None]:
    """Around a transaction of the node's key: a development chain gives it the gas money, elsewhere its owner does.

    Raises TransactionFailed, naming the address to fund when that is what is missing.
    """
    if node.profile.addresses == "loopback":
        _fund(node)
    try:
        yield
    except TransactionFailed as error:
        if "insufficient funds" not in str(error).lower():
            raise
        hint = f"Send some ether to {node.signer.address} on chain {node.profile.deployment.chain_id}."
        raise TransactionFailed(f"node {node.name} cannot pay for gas.", hint=hint) from error


def _fund(node: Node) -> None:
    try:
        fund(node.profile.rpc, node.signer.address)
    except ChainUnreachable:
        raise
    except ChainError:
        return  # a local chain that is not Anvil: its accounts are its owner's business


def _is_ours(chain: EvmChain, number: int, address: str) -> bool:
    try:
        return chain.identity.signer_of(number) == address
    except NotRegistered:
        return False


def _remember(state: State, key: str, value: str) -> None:
    with state.transaction():
        state.put_meta(key, value.encode())
