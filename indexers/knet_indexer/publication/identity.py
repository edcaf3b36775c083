"""The node's identity on chain: registration, lookup, and the endpoint that it announces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from knet.chain.devchain import fund
from knet.errors import ChainError, ChainUnreachable, NotRegistered, TransactionFailed
from knet.records import Head

from ..node import Node, network_of
from ..state import State
from . import manifest_log


class Identity(NamedTuple):
    """The node's identity on one network, and the last head it published there."""

    network: str  # chain id and identity registry
    node: int
    head: Head | None


def find_identity(node: Node, state: State) -> int | None:
    """Return the node's id on its network, if its key still signs for one. Raises ChainUnreachable."""
    known = state.meta(f"identity {network_of(node)}")
    with suppress(NotRegistered):
        if known and node.chain.identity.signer_of(int(known)) == node.signer.address:
            return int(known)
    # A first publication may have been interrupted after it registered, or the state may have been lost.
    nodes = node.chain.registry_snapshot().nodes.values()
    return max((entry.node for entry in nodes if entry.wallet == node.signer.address), default=None)


def ensure_registered(node: Node, state: State) -> Identity:
    """Return the node's identity, registered if need be. Raises TransactionFailed and ChainUnreachable."""
    network = network_of(node)
    number = find_identity(node, state)
    if number is None:
        endpoint = node.config.public_endpoint
        with funded(node):
            number = node.chain.identity.register(node.signer, endpoint)
        state.put_meta(f"endpoint {network}", endpoint.encode())
    state.put_meta(f"identity {network}", str(number).encode())
    return Identity(network, number, next(reversed(node.chain.manifests.heads(number, unconfirmed=True)), None))


def is_head_on_chain(node: Node) -> bool:
    """Return whether the last published manifest is the head on chain, so that the node can answer before a sync.

    While the chain is unreachable, its last known state counts.
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
    """Write the node's endpoint to the chain if it changed, and return the transaction hash, or ``""``.

    Raises NotRegistered before the first publication, TransactionFailed and ChainUnreachable.
    """
    key, endpoint = f"endpoint {network_of(node)}", node.config.public_endpoint
    number = find_identity(node, state)
    if number is None:
        raise NotRegistered(f"node {node.name} is not registered.", hint="Run `knet node publish` first.")
    if state.meta(key) == endpoint.encode():
        return ""
    with funded(node):
        transaction = node.chain.identity.set_endpoint(node.signer, number, endpoint)
    state.put_meta(key, endpoint.encode())
    return transaction


@contextmanager
def funded(node: Node) -> Iterator[None]:
    """Fund the node's key for a transaction on a development chain; elsewhere its owner does.

    Raises TransactionFailed with the address to fund when the key cannot pay for gas.
    """
    if node.profile.addresses == "loopback":
        try:
            fund(node.profile.rpc, node.signer.address)
        except ChainUnreachable:
            raise
        except ChainError:
            pass  # a local chain other than Anvil: its owner funds the accounts
    try:
        yield
    except TransactionFailed as error:
        if "insufficient funds" not in str(error).lower():
            raise
        hint = f"Send some ether to {node.signer.address} on chain {node.profile.deployment.chain_id}."
        raise TransactionFailed(f"node {node.name} cannot pay for gas.", hint=hint) from error
