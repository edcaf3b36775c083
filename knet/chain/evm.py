"""The chain as knet sees it, over any EVM chain's JSON-RPC."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from eth_account.messages import encode_typed_data
from web3.exceptions import ContractLogicError

from ..codec import Cid
from ..config import JOURNALS, Deployment, Profile, home
from ..errors import ChainError, ConfigError, NotRegistered
from ..records import Head, NodeEntry, Reputation
from .base import Directory, OnPage, ignored
from .events import (
    ENDPOINT_KEY,
    MANIFEST_PUBLISHED,
    MAX_ENDPOINT,
    METADATA_SET,
    TRANSFER,
    block_times,
    endpoint_of,
    fetch_logs,
    fetch_pages,
    fold,
    forget,
    head_of,
)
from .finality import Confirmations
from .keys import Signer
from .rating_contract import BondedRatings
from .rpc import Rpc

MAX_QUESTION = 1000  # nodes a call; `Reliability.MAX_QUESTION`
WALLET_CONSENT_SECONDS = 240  # the registry admits 300

T = TypeVar("T")


class EvmChain(BondedRatings):
    """`Chain` over HTTP. Safe to use from many threads.

    ``rpc_url`` is shown in errors without its path and credentials. Transactions are estimated against the pending
    block, signed here, and waited for; a revert is told with the contract's own error and arguments. ``journals`` is
    the folder where they are written down, so that what a crash or a broken connection left is taken up again.
    ``confirmations`` is how many blocks must lie above one that is believed, or the tag of such a block.
    """

    def __init__(
        self,
        rpc_url: str,
        deployment: Deployment,
        *,
        journals: Path | None = None,
        confirmations: Confirmations = 0,
    ) -> None:
        self.rpc = Rpc(rpc_url, journals, confirmations)
        self._deployment = deployment
        self._identity = self.rpc.contract("IdentityRegistry", deployment.identity)
        self._manifests = self.rpc.contract("ManifestRegistry", deployment.manifests)
        self._reliability = self.rpc.contract("Reliability", deployment.reliability)

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    # --- reading -----------------------------------------------------------------------------------------------

    def block_number(self) -> int:
        return self.rpc.block_number()

    def settled(self) -> int:
        return self.rpc.settled()[0]

    def time(self, block: int | None = None) -> int:
        with self.rpc.errors("Asking for the time"):
            which: Any = "latest" if block is None else block
            return int(self.rpc.web3.eth.get_block(which)["timestamp"])

    def next_time(self) -> int:
        latest = self.time()
        with suppress(ChainError), self.rpc.errors("Asking for the next block"):  # not every RPC has one
            return max(latest, int(self.rpc.web3.eth.get_block("pending")["timestamp"]))
        return latest

    def gas_price(self) -> int:
        with self.rpc.errors("Asking for the price of gas"):
            return int(self.rpc.web3.eth.gas_price)

    def directory(self, known: Directory | None = None, *, on_page: OnPage = ignored) -> Directory:
        """Nodes as of the newest settled block. Those without an endpoint are identities that serve nothing over HTTP.

        ``known`` is extended if its block is still on the chain. If not, what it says may never have been, and
        everything is read again.
        """
        latest, named = self.rpc.settled()
        start, nodes = self._deployment.block, {}
        if known is not None and known.hash and self.rpc.block_hash(known.block) == known.hash:
            if known.block >= latest:  # an RPC behind a load balancer may know less than the one before
                return known
            start, nodes = known.block + 1, dict(known.nodes)
        addresses = [self._deployment.identity, self._deployment.manifests]
        topics = [[TRANSFER, METADATA_SET, MANIFEST_PUBLISHED]]
        with self.rpc.errors("Reading the directory of nodes"):
            times = block_times(self.rpc)
            for end, logs in fetch_pages(self.rpc, addresses, topics, start, latest):
                fold(nodes, logs, times, self._identified)
                forget(nodes)
                if end < latest:
                    on_page(Directory(block=end, nodes=dict(nodes), hash=self.rpc.block_hash(end)))
        return Directory(block=latest, nodes=nodes, hash=named)

    def _identified(self, node: int) -> NodeEntry:
        """A node as the identity registry has it now."""
        doing = f"Looking up node {node}"
        endpoint: bytes = self.rpc.call(self._identity.functions.getMetadata(node, ENDPOINT_KEY), doing)
        wallet: str = self.rpc.call(self._identity.functions.getAgentWallet(node), doing)
        known = "" if int(wallet, 16) == 0 else wallet
        return NodeEntry(node=node, owner=self.owner_of(node), wallet=known, endpoint=endpoint_of(endpoint))

    def heads(self, node: int, *, newest: bool = False) -> list[Head]:
        addresses, topics = [self._deployment.manifests], [MANIFEST_PUBLISHED, f"0x{node:064x}"]
        latest, time_of = self.rpc.block_number() if newest else self.settled(), block_times(self.rpc)
        with self.rpc.errors(f"Reading the manifests of node {node}"):
            logs = fetch_logs(self.rpc, addresses, topics, self._deployment.block, latest)
            found = [head_of(log, time_of) for log in logs]
        if not found:
            self.owner_of(node)
        return found

    def signer_of(self, node: int) -> str:
        wallet: str = self.rpc.call(self._identity.functions.getAgentWallet(node), f"Asking who signs for node {node}")
        if int(wallet, 16) == 0:
            self.owner_of(node)
            raise NotRegistered(
                f"Node {node} has no signing wallet.", hint="Its owner must set one; a transfer takes it away."
            )
        return wallet

    def owner_of(self, node: int) -> str:
        try:
            owner: str = self.rpc.call(self._identity.functions.ownerOf(node), f"Looking up node {node}")
            return owner
        except ChainError as error:
            if isinstance(error.__cause__, ContractLogicError):
                raise NotRegistered(f"The registry {self._deployment.identity} knows no node {node}.") from error
            raise

    def reputations(self, nodes: Iterable[int]) -> dict[int, Reputation]:
        """As settled, faded by the epochs since each was last rated; one round trip per thousand nodes."""
        found = {}
        block: int | Literal["latest"] = self.settled() if self.rpc.confirmations else "latest"
        for batch in _batches(list(dict.fromkeys(nodes)), MAX_QUESTION):
            sums = self.rpc.call(self._reliability.functions.scores(batch), "Asking for reliability", block)
            for node, (positive, negative, count, _) in zip(batch, sums, strict=True):
                found[node] = Reputation(positive=positive / 100, negative=negative / 100, count=count)
        return found

    # --- writing -----------------------------------------------------------------------------------------------

    def register(self, signer: Signer, endpoint: str) -> int:
        url = _checked_endpoint(endpoint)
        register = self._identity.get_function_by_signature("register(string,(string,bytes)[])")
        call = register(_registration_url(url), [(ENDPOINT_KEY, url.encode())])
        receipt = self.rpc.transact(signer, call, f"Registering {url}")
        for log in receipt["logs"]:
            if log["address"] == self._identity.address and log["topics"][0].to_0x_hex() == TRANSFER:
                return int(log["topics"][3].to_0x_hex(), 16)
        raise ChainError(f"Registering {url} left no event.", hint="The profile's identity registry is not ERC-8004.")

    def set_endpoint(self, signer: Signer, node: int, endpoint: str) -> str:
        """Two transactions, the registration file's URL first; the hash is of the second, which followers read."""
        url = _checked_endpoint(endpoint)
        doing = f"Announcing node {node} at {url}"
        self._send(signer, self._identity.functions.setAgentURI(node, _registration_url(url)), doing)
        return self._send(signer, self._identity.functions.setMetadata(node, ENDPOINT_KEY, url.encode()), doing)

    def set_wallet(self, owner: Signer, node: int, wallet: Signer) -> str:
        """Let another key sign for a node from now on: the transaction hash. Both keys must consent."""
        deadline = max(int(time.time()), self.time()) + WALLET_CONSENT_SECONDS
        consent = self._wallet_consent(node, wallet, self.owner_of(node), deadline)
        call = self._identity.functions.setAgentWallet(node, wallet.address, deadline, consent)
        changed = self._send(owner, call, f"Changing the wallet of node {node}")
        self.witness(owner, [node])  # from now on, or receipts of the key before would be good until somebody looks
        return changed

    def publish(self, signer: Signer, node: int, sequence: int, manifest: Cid) -> str:
        call = self._manifests.functions.publish(node, sequence, manifest.digest)
        return self._send(signer, call, f"Publishing manifest {sequence} of node {node}")

    def give_feedback(
        self,
        signer: Signer,
        node: int,
        value: int,
        *,
        decimals: int = 0,
        tags: tuple[str, str] = ("", ""),
        endpoint: str = "",
        uri: str = "",
        digest: bytes = bytes(32),
    ) -> str:
        """ERC-8004 feedback, which other tools read: the transaction hash. knet itself ranks by receipts alone.

        ``value`` has ``decimals`` (at most 18) decimal places; ``digest`` is the keccak-256 of what ``uri`` names.
        Raises TransactionFailed for one's own node, ConfigError where the network has no reputation registry.
        """
        if not self._deployment.reputation:
            raise ConfigError(
                "This network has no ERC-8004 reputation registry.", hint="Name it with `knet network join`."
            )
        registry = self.rpc.contract("ReputationRegistry", self._deployment.reputation)
        call = registry.functions.giveFeedback(node, value, decimals, *tags, endpoint, uri, digest)
        return self._send(signer, call, f"Giving feedback on node {node}")

    # --- parts -------------------------------------------------------------------------------------------------

    def _wallet_consent(self, node: int, wallet: Signer, owner: str, deadline: int) -> bytes:
        fields = {"agentId": "uint256", "newWallet": "address", "owner": "address", "deadline": "uint256"}
        message = encode_typed_data(
            {
                "name": "ERC8004IdentityRegistry",
                "version": "1",
                "chainId": self._deployment.chain_id,
                "verifyingContract": self._deployment.identity,
            },
            {"AgentWalletSet": [{"name": name, "type": kind} for name, kind in fields.items()]},
            {"agentId": node, "newWallet": wallet.address, "owner": owner, "deadline": deadline},
        )
        return bytes(wallet.sign_message(message).signature)


def open_chain(profile: Profile) -> EvmChain:
    """The chain of a network as this user reads it. Raises ConfigError."""
    return EvmChain(
        profile.rpc, profile.deployment, journals=home() / JOURNALS, confirmations=profile.confirmations_needed
    )


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _checked_endpoint(endpoint: str) -> str:
    url = endpoint.rstrip("/")
    if not url.startswith(("http://", "https://")) or len(url.encode()) > MAX_ENDPOINT:
        raise ConfigError(f"{endpoint[:80]!r} cannot be a node's endpoint.", hint="Give its http(s) base URL.")
    return url


def _registration_url(endpoint: str) -> str:
    return endpoint + "/.well-known/agent-registration.json"
