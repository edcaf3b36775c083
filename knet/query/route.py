"""Routing: which nodes are worth asking, from their cards and reliability alone; no node learns the question yet.

A node's promise is the best centroid's cosine (what it is about) plus how much of the question's rare vocabulary its
document-frequency sketch covers (what it says), the two facts that together keep 97.7 % of central recall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..codec import Cid
from ..index.lexical import Statistics, term_hash, tokens
from ..index.shard import Vectors
from ..records import Record, Reputation
from ..trust.reliability import Standing, bonus, with_exploration
from .view import NodeView

LEXICAL_WEIGHT = 0.5
NOBODY: Mapping[int, Reputation] = {}


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


def route(
    question: str,
    vectors: Mapping[Cid, Vectors],
    nodes: Iterable[NodeView],
    *,
    asked: int = 0,
    usefulness: Mapping[int, Reputation] = NOBODY,
    beliefs: Mapping[int, Reputation] = NOBODY,
) -> list[Route]:
    """Every node, best first. ``vectors`` holds the question in each space; nodes of other spaces go by words alone.

    ``asked`` is how many will be asked (0: all); now and then one of those places goes to a node that only its
    standing keeps out. ``usefulness`` is what this client found of use before, ``beliefs`` what it holds of reliability
    beyond the chain's sums.
    """
    views = list(nodes)
    terms = list(dict.fromkeys(tokens(question)))
    statistics = pooled_statistics(views, terms)
    covered = _coverages(views, {term_hash(term): statistics.idf(term) for term in terms})
    routes: dict[int, Route] = {}
    relevance: dict[int, float] = {}
    for view, words in zip(views, covered, strict=True):
        node = view.entry.node
        rated, used = beliefs.get(node, view.reputation), usefulness.get(node, Reputation())
        topic = _topic(view, vectors.get(view.card.space))
        relevance[node] = topic + LEXICAL_WEIGHT * words
        routes[node] = Route(
            node=node,
            score=relevance[node] + bonus(Standing(usefulness=used, reliability=rated)),
            why=f"topic {topic:.2f}, words {words:.2f}, of use {used.mean:.2f}, {_reliability(rated, view)}",
        )
    order = sorted(routes, key=lambda node: (-routes[node].score, node))
    relevant = sorted(routes, key=lambda node: (-relevance[node], node))
    return [routes[node] for node in with_exploration(order, relevant, asked or len(order), question)]


def _reliability(rated: Reputation, view: NodeView) -> str:
    """Both, where this client holds other than the chain."""
    chain = "" if rated == view.reputation else f" (on chain {view.reputation.mean:.2f})"
    return f"reliability {rated.mean:.2f} ± {rated.deviation:.2f}{chain}"


def _topic(view: NodeView, vector: Vectors | None) -> float:
    return float(np.max(view.centroids @ vector)) if vector is not None and len(view.centroids) else 0.0


def _coverages(views: Sequence[NodeView], idf: Mapping[int, float]) -> list[float]:
    """CORI-like belief in 0..1 of each node: idf-weighted share of the question's terms, saturating with frequency.

    ``idf`` is by term hash.
    """
    weights = np.array(list(idf.values()))
    df = np.array([[view.df.get(term, 0) for term in idf] for view in views]).reshape(len(views), len(idf))
    common = 1.0 + np.log1p(np.array([view.card.chunks for view in views]) / 50)
    covered = (df / (df + common[:, None])) @ weights / max(float(weights.sum()), 1e-9)
    beliefs: list[float] = covered.tolist()
    return beliefs
