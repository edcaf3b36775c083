"""Interface of a directory of nodes, which selects nodes for a query and looks single ones up.

Two directories implement it: `knet.routing.card_directory.CardDirectory` holds every routing card, and
`knet.routing.large.large_directory.SummaryDirectory` summaries of very many. `knet.routing.follower` picks one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..records import NodeEntry, Space
from .node_info import NodeInfo
from .node_view import NodeView
from .query import Priors, Query, Reliabilities, Selection

LOAD_SECONDS = 3.0  # a caller waits no longer for a node's manifest and card
SLOW = f"its manifest and card did not arrive within {LOAD_SECONDS:g} s"

ReadReliability = Callable[[Iterable[int]], Reliabilities]


class Coverage(NamedTuple):
    """Number of nodes that can be asked by now and number published; ``reading`` while others are still being read."""

    known: int
    published: int
    reading: bool = False


class NodeDirectory(Protocol):
    """The nodes of a network. `follow` and `rate` are called by one thread at a time, everything else by any."""

    @property
    def spaces(self) -> list[Space]:
        """Spaces of the nodes known."""

    @property
    def coverage(self) -> Coverage: ...

    @property
    def unusable(self) -> Mapping[int, str]:
        """Nodes that cannot be asked, with the reason."""

    def select(self, query: Query, priors: Priors) -> Selection:
        """Return the nodes to ask, best first. Never raises for what a node published."""

    def look_up(self, nodes: Sequence[int]) -> tuple[dict[int, NodeView], dict[int, str]]:
        """Return the full views of these nodes, and the reasons why others are missing.

        Views that are not cached are fetched, for `LOAD_SECONDS` at most.
        """

    def cached(self) -> dict[int, NodeView]:
        """Return the full views that are in memory now."""

    def infos(self) -> list[NodeInfo]:
        """Return one line about every node."""

    def follow(self, entries: Sequence[NodeEntry]) -> None:
        """Take these published entries as the network, and fetch what changed, waiting `LOAD_SECONDS` at most."""

    def rate(self, read: ReadReliability) -> None:
        """Read reliabilities from the chain. Raises ChainUnreachable."""

    def close(self) -> None:
        """Stop fetching."""
