"""The protocol of a chain: identities, manifest heads and reliability, as the contracts in `contracts/` keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..codec import Cid
from ..config import Deployment
from ..records import Head, NodeEntry, Record, Reputation

if TYPE_CHECKING:
    from .batches import Batch, Delta, Demand, KeyHistory, LeafProof, StakeStatus
    from .keys import Signer


class Directory(Record, frozen=True):
    """Every node that chain events tell of, as of ``block``. Rebuildable from nothing; extended by pages."""

    block: int
    nodes: dict[int, NodeEntry]
    hash: str = ""  # of the block: on a chain that has another one there, this directory is not true


OnPage = Callable[[Directory], None]


def ignored(directory: Directory) -> None:
    """For whoever waits for the last page."""


class Chain(Protocol):
    """Reads and writes of one deployment. Every method raises ChainUnreachable when the RPC does not answer.

    The directory, heads and reliability are read as of `settled`, with as many blocks above as the user asks for, and
    a transaction has arrived once it is as deep.
    """

    @property
    def deployment(self) -> Deployment: ...

    def block_number(self) -> int:
        """The newest block."""
        ...

    def settled(self) -> int:
        """The newest block that is deep enough to be believed."""
        ...

    def next_time(self) -> int:
        """What the next block's time will be, at least, by the chain's own clock (unix seconds)."""
        ...

    def time(self, block: int | None = None) -> int:
        """The newest block's time (unix seconds)."""
        ...

    def gas_price(self) -> int:
        """Wei a unit of gas costs in the next block."""
        ...

    def directory(self, known: Directory | None = None, *, on_page: OnPage = ignored) -> Directory:
        """Nodes, endpoints, wallets and heads from events since ``known`` (or from the deployment on).

        Each page of blocks is handed to ``on_page`` as a directory of what is known by then, to go on from later.
        """
        ...

    def heads(self, node: int, *, newest: bool = False) -> list[Head]:
        """Every manifest a node ever published, oldest first, with ``newest`` those that are not settled, too.

        Raises NotRegistered.
        """
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

    def owner_of(self, node: int) -> str:
        """Who owns a node now (checksum address). Raises NotRegistered."""
        ...

    def standing(self, rater: str) -> StakeStatus:
        """What a rater has at stake, and how much influence is left to it."""
        ...

    def tenure(self, node: int, account: str) -> KeyHistory:
        """What was witnessed of an account at a node."""
        ...

    def batches(self, rater: str | None = None, *, since: int = 0) -> list[Batch]:
        """Every batch, or one rater's, from block ``since`` on, oldest first."""
        ...

    def demands(self, rater: str | None = None, *, by: str | None = None) -> list[Demand]:
        """Leaves of a rater's batches, or those that ``by`` demanded, that were not revealed, oldest first."""
        ...

    def stands(self, batch: Batch) -> bool:
        """Whether a batch was not taken back."""
        ...

    def reveal(self, signer: Signer, batch: Batch, proof: LeafProof, by: str) -> str:
        """Reveal a leaf that ``by`` demanded: the transaction hash."""
        ...

    def taken_back(self, *, since: int = 0) -> set[tuple[str, int]]:
        """Rater and number of every batch that was proven wrong from block ``since`` on."""
        ...

    def bond(self, signer: Signer, wei: int) -> str:
        """Put wei at stake, without which nobody can rate: the transaction hash."""
        ...

    def witness(self, signer: Signer, nodes: Sequence[int]) -> str:
        """Have it noted who signs for and owns nodes now: the transaction hash."""
        ...

    def submit(self, signer: Signer, root: bytes, content: Cid, deltas: Sequence[Delta], deadline: int) -> str:
        """Put a batch of ratings on chain, if it is included by ``deadline`` (unix seconds): the transaction hash."""
        ...
