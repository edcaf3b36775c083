"""Routing: which nodes are worth asking, from their cards and standing alone; no node learns the question yet.

A node's promise is a learnt sum of what its card says about the question (`knet.routing.features`): what it is about,
what it says, and above all whether it says it in one place. From the promises follows how likely the best passage is at
each node, and from that how many are asked: the next is left out when it is unlikely to change what the user sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..codec import Cid
from ..index.lexical import Statistics, term_hash, tokens
from ..index.shard import Vectors
from ..records import Record, Reputation
from ..trust.reliability import SourceBelief, bonus, with_exploration
from .card_index import Rows, card_index
from .features import FEATURES, features, probabilities, routing_scores
from .node_view import NodeView

UNIT = 8.85  # log-odds that a cosine is worth (the weights of topic, both and tail): standing is counted in cosines
FEWEST = 5  # nodes: cross-source agreement needs several, and a small network is asked whole
MOST = 10  # nodes asked where nobody says how many
LEFT_OUT = 0.05  # chance that the best passage is at none of the nodes asked
NOBODY: Mapping[int, Reputation] = {}
NOTHING: Mapping[int, float] = {}
UNKNOWN = Reputation()


class Route(Record, frozen=True):
    """One node in the order it is worth asking, with the reason in words and in numbers.

    ``evidence``: `knet.routing.features.FEATURES`; ``chance`` that the best passage is there; ``standing``, what its
    name adds to ``score``.
    """

    node: int
    score: float
    why: str
    evidence: dict[str, float] = {}


def pooled_statistics(nodes: Iterable[NodeView], terms: Iterable[str]) -> Statistics:
    """Network-wide term statistics for a question's terms, summed over routing cards."""
    views = list(nodes)
    chunks = sum(view.card.chunks for view in views)
    tokens_in_all = sum(view.card.average_length * view.card.chunks for view in views)
    hashes = {term: term_hash(term) for term in terms}
    df = {term: sum(view.df.get(key, 0) for view in views) for term, key in hashes.items()}
    return Statistics(chunks, tokens_in_all / max(chunks, 1), df)


def route(
    question: str,
    vectors: Mapping[Cid, Vectors],
    nodes: Iterable[NodeView],
    *,
    asked: int | None = 0,
    usefulness: Mapping[int, Reputation] = NOBODY,
    beliefs: Mapping[int, Reputation] = NOBODY,
    expected: Mapping[int, float] = NOTHING,
) -> list[Route]:
    """Every node, best first. ``vectors`` holds the question in each space; nodes of other spaces go by words alone.

    ``asked`` is how many will be asked (None: as many as matter, 0: all); now and then one of those places goes to a
    node that only its standing keeps out. ``usefulness`` is what this client found of use before, ``beliefs`` what it
    holds of reliability beyond the chain's sums, ``expected`` how useful it expects a node to be for this question.
    """
    views = tuple(nodes)
    terms = list(dict.fromkeys(tokens(question)))
    statistics = pooled_statistics(views, terms)
    seen = card_index(views).look([term_hash(term) for term in terms], vectors)
    return ordered(
        question,
        features(seen, np.array([statistics.idf(term) for term in terms])),
        {view.entry.node: view.reputation for view in views},
        asked=asked,
        usefulness=usefulness,
        beliefs=beliefs,
        expected=expected,
    )


def ordered(
    question: str,
    rows: Rows,
    on_chain: Mapping[int, Reputation],
    *,
    asked: int | None = 0,
    usefulness: Mapping[int, Reputation] = NOBODY,
    beliefs: Mapping[int, Reputation] = NOBODY,
    expected: Mapping[int, float] = NOTHING,
    most: int | None = None,
) -> list[Route]:
    """The nodes of ``on_chain``, best first, or the ``most`` best of them: what each promises is a row of ``rows``
    ``(m, len(FEATURES))``. The rest is as for `route`."""
    promise = routing_scores(rows)
    likely = probabilities(promise)
    nodes = list(on_chain)
    relevance = dict(zip(nodes, (promise / UNIT).tolist(), strict=True))
    standing = dict.fromkeys(nodes, 0.0)  # which is what nobody's word adds
    for node, chain in on_chain.items():
        if chain is not UNKNOWN or node in usefulness or node in beliefs or node in expected:
            known = SourceBelief(usefulness=usefulness.get(node, UNKNOWN), reliability=beliefs.get(node, chain))
            standing[node] = bonus(known, expected.get(node))
    order = sorted(nodes, key=lambda node: (-(relevance[node] + standing[node]), node))[:most]
    relevant = sorted(nodes, key=lambda node: (-relevance[node], node))[:most]
    place = {node: number for number, node in enumerate(nodes)}

    def made(node: int) -> Route:
        number = place[node]
        evidence = dict(zip(FEATURES, rows[number].tolist(), strict=True))
        evidence |= {"chance": float(likely[number]), "standing": standing[node]}
        rated, used = beliefs.get(node, on_chain[node]), usefulness.get(node, UNKNOWN)
        return Route(
            node=node,
            score=relevance[node] + standing[node],
            why=_why(evidence, used, rated, on_chain[node]),
            evidence={name: round(value, 4) for name, value in evidence.items()},
        )

    routes = {node: made(node) for node in order}
    count = cutoff([routes[node] for node in order]) if asked is None else asked or len(order)
    return [routes.get(node) or made(node) for node in with_exploration(order, relevant, count, question)]


def _why(evidence: Mapping[str, float], used: Reputation, rated: Reputation, on_chain: Reputation) -> str:
    """Both reliabilities, where this client holds other than the chain."""
    chain = "" if rated == on_chain else f" (on chain {on_chain.mean:.2f})"
    return (
        f"topic {evidence['topic']:.2f}, words in one place {evidence['joint']:.2f}, chance {evidence['chance']:.2f}, "
        f"of use {used.mean:.2f}, reliability {rated.mean:.2f} ± {rated.deviation:.2f}{chain}"
    )


def cutoff(routes: Sequence[Route]) -> int:
    """How many of them, from the first on, are worth asking: until less than `LEFT_OUT` of the chance is left."""
    total = sum(route.evidence.get("chance", 0.0) for route in routes)
    covered = 0.0
    for number, route in enumerate(routes[:MOST], 1):
        covered += route.evidence.get("chance", 0.0)
        if number >= FEWEST and covered >= (1 - LEFT_OUT) * total:
            return number
    return min(MOST, len(routes))
