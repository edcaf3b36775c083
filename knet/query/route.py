"""Routing: which nodes are worth asking, from their cards and reliability alone; no node learns the question yet.

A node's promise is the best centroid's cosine (what it is about) plus how much of the question's rare vocabulary its
document-frequency sketch covers (what it says), the two facts that together keep 97.7 % of central recall.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from ..codec import Cid
from ..index.lexical import Statistics, term_hash, tokens
from ..index.shard import Vectors
from ..records import Record
from .view import NodeView

LEXICAL_WEIGHT = 0.5
RELIABILITY_WEIGHT = 0.25  # under the spread of relevance, so it decides between nodes that are both on topic
EXPLORATION = 0.1  # bonus of a node nobody has rated, shrinking with its ratings: newcomers and wronged nodes are heard


class Route(Record, frozen=True):
    """One node in the order it is worth asking, with the reason in numbers."""

    node: int
    score: float
    why: str


def pooled_statistics(nodes: Iterable[NodeView], terms: Iterable[str]) -> Statistics:
    """Network-wide term statistics for a question's terms, summed over routing cards."""
    views = list(nodes)
    chunks = sum(view.card.chunks for view in views)
    tokens_in_all = sum(view.card.average_length * view.card.chunks for view in views)
    hashes = {term: term_hash(term) for term in terms}
    df = {term: sum(view.df.get(key, 0) for view in views) for term, key in hashes.items()}
    return Statistics(chunks, tokens_in_all / max(chunks, 1), df)


def route(question: str, vectors: Mapping[Cid, Vectors], nodes: Iterable[NodeView]) -> list[Route]:
    """Every node, best first. ``vectors`` holds the question in each space; nodes of other spaces go by words alone."""
    views = list(nodes)
    terms = list(dict.fromkeys(tokens(question)))
    statistics = pooled_statistics(views, terms)
    idf = {term_hash(term): statistics.idf(term) for term in terms}
    routes = [_score(view, vectors.get(view.card.space), idf) for view in views]
    return sorted(routes, key=lambda r: (-r.score, r.node))


def _score(view: NodeView, vector: Vectors | None, idf: Mapping[int, float]) -> Route:
    topic = float(np.max(view.centroids @ vector)) if vector is not None and len(view.centroids) else 0.0
    words = _coverage(view, idf)
    rated = view.reputation
    reliability = RELIABILITY_WEIGHT * (rated.mean - 0.5)
    exploration = EXPLORATION * rated.deviation
    return Route(
        node=view.entry.node,
        score=topic + LEXICAL_WEIGHT * words + reliability + exploration,
        why=f"topic {topic:.2f}, words {words:.2f}, reliability {rated.mean:.2f} ± {rated.deviation:.2f}",
    )


def _coverage(view: NodeView, idf: Mapping[int, float]) -> float:
    """CORI-like belief in 0..1: idf-weighted share of the question's terms, each saturating with its frequency.

    ``idf`` is by term hash.
    """
    total = sum(idf.values())
    if not total:
        return 0.0
    common = 1.0 + math.log1p(view.card.chunks / 50)
    frequencies = ((view.df.get(term, 0), weight) for term, weight in idf.items())
    return sum(weight * df / (df + common) for df, weight in frequencies) / total
