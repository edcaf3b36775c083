"""The chain as knet sees it, over any EVM chain's JSON-RPC."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from web3.contract.contract import ContractFunction
from web3.exceptions import ContractLogicError

from ..codec import Cid
from ..errors import ChainError, ConfigError, NotRegistered
from ..records import Head, Rating, Reputation, SignedReceipt
from .base import Deployment, Directory
from .events import (
    ENDPOINT_KEY,
    MANIFEST_PUBLISHED,
    MAX_ENDPOINT,
    METADATA_SET,
    TRANSFER,
    block_times,
    fetch_logs,
    fold,
    head_of,
)
from .keys import Signer
from .receipts import receipt_digest
from .rpc import Rpc

MAX_BATCH = 128  # ratings a transaction; `Reliability.MAX_BATCH`
MAX_QUESTION = 1000  # nodes or receipts a call; `Reliability.MAX_QUESTION`
VALIDITY_SECONDS = 30 * 86_400  # how long a receipt entitles to a rating; `Reliability.VALIDITY`
REORG_BLOCKS = 12  # read again on every update, in case the chain settled on other blocks
WALLET_CONSENT_SECONDS = 240  # the registry admits 300

T = TypeVar("T")


class EvmChain:
    """`Chain` over HTTP. Safe to use from many threads.

    ``rpc_url`` is shown in errors without its path and credentials. Transactions are estimated against the pending
    block, signed here, and waited for; a revert is told with the contract's own error and arguments.
    """

    def __init__(self, rpc_url: str, deployment: Deployment) -> None:
        self.rpc = Rpc(rpc_url)
        self._deployment = deployment
        self._identity = self.rpc.contract("IdentityRegistry", deployment.identity)
        self._manifests = self.rpc.contract("ManifestRegistry", deployment.manifests)
        self._reliability = self.rpc.contract("Reliability", deployment.reliability)

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    # --- reading -----------------------------------------------------------------------------------------------

    def directory(self, known: Directory | None = None) -> Directory:
        """Nodes as of the newest block. Entries without an endpoint are identities that serve nothing over HTTP."""
        latest = self.rpc.block_number()
        start, nodes = self._deployment.block, {}
        if known is not None and known.block <= latest:  # else the chain was reset: begin again
            start, nodes = max(start, known.block + 1 - REORG_BLOCKS), dict(known.nodes)
        addresses = [self._deployment.identity, self._deployment.manifests]
        topics = [[TRANSFER, METADATA_SET, MANIFEST_PUBLISHED]]
        with self.rpc.errors("Reading the directory of nodes"):
            fold(nodes, fetch_logs(self.rpc, addresses, topics, start, latest), block_times(self.rpc))
        return Directory(block=latest, nodes=nodes)

    def heads(self, node: int) -> list[Head]:
        addresses, topics = [self._deployment.manifests], [MANIFEST_PUBLISHED, f"0x{node:064x}"]
        latest, time_of = self.rpc.block_number(), block_times(self.rpc)
        with self.rpc.errors(f"Reading the manifests of node {node}"):
            logs = fetch_logs(self.rpc, addresses, topics, self._deployment.block, latest)
            found = [head_of(log, time_of) for log in logs]
        if not found:
            self._owner_of(node)
        return found

    def signer_of(self, node: int) -> str:
        wallet: str = self.rpc.call(self._identity.functions.getAgentWallet(node), f"Asking who signs for node {node}")
        if int(wallet, 16) == 0:
            self._owner_of(node)
            raise NotRegistered(
                f"Node {node} has no signing wallet.", hint="Its owner must set one; a transfer takes it away."
            )
        return wallet

    def reputations(self, nodes: Iterable[int]) -> dict[int, Reputation]:
        """One round trip per thousand nodes."""
        found = {}
        for batch in _batches(list(dict.fromkeys(nodes)), MAX_QUESTION):
            sums = self.rpc.call(self._reliability.functions.scores(batch), "Asking for reliability")
            for node, (positive, negative, count, _) in zip(batch, sums, strict=True):
                found[node] = Reputation(positive=positive / 100, negative=negative / 100, count=count)
        return found

    def rated(self, receipts: Sequence[SignedReceipt]) -> list[bool]:
        """One round trip per thousand receipts. Raises BadReceipt for one that cannot be a receipt."""
        digests = [self._digest(signed) for signed in receipts]
        found: list[bool] = []
        for batch in _batches(digests, MAX_QUESTION):
            found += self.rpc.call(self._reliability.functions.areUsed(batch), "Asking which receipts were rated")
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
        with self.rpc.errors("Asking for the time"):
            now = max(int(time.time()), self.rpc.web3.eth.get_block("latest")["timestamp"])
        deadline = now + WALLET_CONSENT_SECONDS
        consent = self._wallet_consent(node, wallet, self._owner_of(node), deadline)
        call = self._identity.functions.setAgentWallet(node, wallet.address, deadline, consent)
        return self._send(owner, call, f"Changing the wallet of node {node}")

    def publish(self, signer: Signer, node: int, sequence: int, manifest: Cid) -> str:
        call = self._manifests.functions.publish(node, sequence, manifest.digest)
        return self._send(signer, call, f"Publishing manifest {sequence} of node {node}")

    def submit(self, signer: Signer, ratings: Sequence[Rating]) -> str:
        """At most `MAX_BATCH` ratings; one that the contract refuses is named by its index and stops them all."""
        for rating in ratings:
            self._digest(rating.receipt)
        call = self._reliability.functions.submit([_item(rating) for rating in ratings])
        return self._send(signer, call, f"Submitting {len(ratings)} ratings")

    # --- parts -------------------------------------------------------------------------------------------------

    def _send(self, signer: Signer, call: ContractFunction, doing: str) -> str:
        return self.rpc.transact(signer, call, doing)["transactionHash"].to_0x_hex()

    def _digest(self, signed: SignedReceipt) -> bytes:
        return receipt_digest(signed.receipt, self._deployment.chain_id, self._deployment.reliability)

    def _owner_of(self, node: int) -> str:
        try:
            owner: str = self.rpc.call(self._identity.functions.ownerOf(node), f"Looking up node {node}")
            return owner
        except ChainError as error:
            if isinstance(error.__cause__, ContractLogicError):
                raise NotRegistered(f"The registry {self._deployment.identity} knows no node {node}.") from error
            raise

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


def _item(rating: Rating) -> tuple[Any, ...]:
    receipt = rating.receipt.receipt
    fields = (
        receipt.node,
        receipt.manifest,
        receipt.query,
        receipt.results,
        to_checksum_address(receipt.client),
        receipt.issued_at,
        receipt.nonce,
    )
    return fields, rating.receipt.signature, rating.value
