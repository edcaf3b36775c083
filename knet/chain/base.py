"""The protocol of a chain: identities, manifest heads and reliability, as the contracts in `contracts/` keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..codec import Cid
from ..records import Head, NodeEntry, Rating, Record, Reputation, SignedReceipt

if TYPE_CHECKING:
    from .keys import Signer


class Deployment(Record, frozen=True):
    """Where knet lives on one chain. ``block`` is where its events begin."""

    chain_id: int
    identity: str
    manifests: str
    reliability: str
    block: int = 0


class Directory(Record, frozen=True):
    """Every node that chain events tell of, as of ``block``. Rebuildable from nothing; extended by pages."""

    block: int
    nodes: dict[int, NodeEntry]


class Chain(Protocol):
    """Reads and writes of one deployment. Every method raises ChainUnreachable when the RPC does not answer."""

    @property
    def deployment(self) -> Deployment: ...

    def directory(self, known: Directory | None = None) -> Directory:
        """Nodes, endpoints, wallets and heads from events since ``known`` (or from the deployment on)."""
        ...

    def heads(self, node: int) -> list[Head]:
        """Every manifest a node ever published, oldest first. Raises NotRegistered."""
        ...

    def signer_of(self, node: int) -> str:
        """The wallet that signs for a node now (checksum address). Raises NotRegistered."""
        ...

    def reputations(self, nodes: Iterable[int]) -> dict[int, Reputation]:
        """Reliability of each node; unrated ones get the prior."""
        ...

    def register(self, signer: Signer, endpoint: str) -> int:
        """A new identity owned by ``signer``: its node id. Raises TransactionFailed."""
        ...

    def set_endpoint(self, signer: Signer, node: int, endpoint: str) -> str:
        """Announce where a node answers: the transaction hash."""
        ...

    def publish(self, signer: Signer, node: int, sequence: int, manifest: Cid) -> str:
        """Make a manifest the node's head: the transaction hash. ``sequence`` must be one above the last."""
        ...

    def submit(self, signer: Signer, ratings: Sequence[Rating]) -> str:
        """Put ratings on chain in one transaction: its hash. Each receipt counts once, for its client alone."""
        ...

    def rated(self, receipts: Sequence[SignedReceipt]) -> list[bool]:
        """Which of the receipts were rated already."""
        ...
