"""Records of a query that travel whole from the client through routing, search and merging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..codec import Cid
from ..index.lexical import Statistics
from ..index.shard import Vectors
from ..records import NodeStatus, Record, Reputation
from .node_view import NodeView
from .options import Options

NO_CLIENT = bytes(20)  # the address of queries that are routed and merged without being sent
Reliabilities = Mapping[int, Reputation]  # by node


class Query(NamedTuple):
    """A question with its vector ``(dimension,)`` in every space that has an embedder, and how to ask it.

    ``unembedded`` holds the reason for every space without an embedder; ``client`` is the asker's address (20 bytes).
    """

    question: str
    vectors: Mapping[Cid, Vectors]
    options: Options = Options()
    client: bytes = NO_CLIENT
    unembedded: Mapping[Cid, str] = {}


class Priors(NamedTuple):
    """Beliefs of a client about nodes before it asks them.

    ``usefulness`` is how often a node's passages were used. ``beliefs`` takes reliabilities on chain and returns those
    in which the client's own observations count, of nodes that it has any of. ``expected`` is how useful a node is
    expected to be for this query, -1 to 1.
    """

    usefulness: Reliabilities = {}
    beliefs: Callable[[Reliabilities], Reliabilities] = lambda on_chain: {}
    expected: Mapping[int, float] = {}

    def reliability(self, on_chain: Reliabilities) -> dict[int, Reputation]:
        """Return the reliability of every node of ``on_chain``, with the client's own observations where it has any."""
        return {**on_chain, **self.beliefs(on_chain)}


class Route(Record, frozen=True):
    """One candidate node, with the reason for its rank in words and in numbers.

    ``evidence`` holds `knet.routing.features.FEATURES`, the ``chance`` (probability) that the best passage is there,
    and ``standing``, the part of ``score`` that comes from the client's priors.
    """

    node: int
    score: float
    why: str
    evidence: dict[str, float] = {}


class Selection(NamedTuple):
    """Nodes selected for one query. ``routes`` are best first, and the first ``asked`` of them are to be asked.

    ``views`` holds at least the node of every route; ``reliability`` is that of the nodes to be asked, as the client
    believes it. ``statistics`` are the term statistics of the whole network for the question's terms. ``unavailable``
    are nodes that cannot be asked, with the reason.
    """

    routes: Sequence[Route]
    asked: int
    views: Mapping[int, NodeView]
    reliability: Reliabilities
    statistics: Statistics
    unavailable: Sequence[NodeStatus] = ()
