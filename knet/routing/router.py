"""Router: orders nodes by their routing cards and the client's priors; no node learns the question yet.

A node's routing score is a learned sum of features of its card (`knet.routing.features`): its topic, its terms, and
above all whether one centroid holds them together. From the scores follow the probabilities that the best passage is at
each node, and from those the number asked: the next node is left out when it is unlikely to change the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..index.analyser import tokens
from ..index.card_format import has_current_terms
from ..index.lexical import Statistics, term_hash
from ..records import Reputation
from ..trust.reliability import SourceBelief, bonus, with_exploration
from .card_index import Rows, card_index
from .features import FEATURES, features, probabilities, routing_scores
from .node_view import NodeView
from .options import MaxNodes
from .query import Priors, Query, Reliabilities, Route

UNIT = 8.85  # log-odds that a cosine is worth (the weights of topic, both and tail): priors are counted in cosines
FEWEST = 5  # nodes: cross-source agreement needs several, and a small network is asked whole
MOST = 10  # nodes asked where the caller gives no number
LEFT_OUT = 0.05  # probability that the best passage is at none of the nodes asked
UNKNOWN = Reputation()
NO_PRIORS = Priors()


def pooled_statistics(nodes: Iterable[NodeView], terms: Iterable[str]) -> Statistics:
    """Return network-wide term statistics for a question's terms, summed over routing cards."""
    views = [view for view in nodes if has_current_terms(view.card)]
    chunks = sum(view.card.chunks for view in views)
    tokens_in_all = sum(view.card.average_length * view.card.chunks for view in views)
    hashes = {term: term_hash(term) for term in terms}
    df = {term: sum(view.df.get(key, 0) for view in views) for term, key in hashes.items()}
    return Statistics(chunks, tokens_in_all / max(chunks, 1), df)


def route(query: Query, nodes: Iterable[NodeView], priors: Priors = NO_PRIORS) -> list[Route]:
    """Return every node, best first; nodes of spaces that the query has no vector in are compared by terms alone.

    Now and then one of the places to be asked goes to a node that only its priors keep out.
    """
    views = tuple(nodes)
    terms = list(dict.fromkeys(tokens(query.question)))
    statistics = pooled_statistics(views, terms)
    found = card_index(views).card_features([term_hash(term) for term in terms], query.vectors)
    rows = features(found, np.array([statistics.idf(term) for term in terms]))
    return ranked(query, rows, {view.entry.node: view.reputation for view in views}, priors)


def ranked(
    query: Query, rows: Rows, on_chain: Reliabilities, priors: Priors = NO_PRIORS, most: int | None = None
) -> list[Route]:
    """Return the nodes of ``on_chain``, best first, or the ``most`` best of them.

    ``rows`` ``(m, len(FEATURES))`` are the features of each node.
    """
    beliefs, usefulness, expected = priors.beliefs(on_chain), priors.usefulness, priors.expected
    scores = routing_scores(rows)
    likely = probabilities(scores)
    nodes = list(on_chain)
    relevance = dict(zip(nodes, (scores / UNIT).tolist(), strict=True))
    standing = dict.fromkeys(nodes, 0.0)  # of a node without any evidence
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
        believed, used = beliefs.get(node, on_chain[node]), usefulness.get(node, UNKNOWN)
        return Route(
            node=node,
            score=relevance[node] + standing[node],
            why=_why(evidence, used, believed, on_chain[node]),
            evidence={name: round(value, 4) for name, value in evidence.items()},
        )

    routes = {node: made(node) for node in order}
    count = count_asked([routes[node] for node in order], query.options.max_nodes)
    return [routes.get(node) or made(node) for node in with_exploration(order, relevant, count, query.question)]


def _why(evidence: Mapping[str, float], used: Reputation, believed: Reputation, on_chain: Reputation) -> str:
    """Return the reason in words, with both reliabilities where the client's own differs from the chain's."""
    chain = "" if believed == on_chain else f" (on chain {on_chain.mean:.2f})"
    return (
        f"topic {evidence['topic']:.2f}, words in one place {evidence['joint']:.2f}, chance {evidence['chance']:.2f}, "
        f"of use {used.mean:.2f}, reliability {believed.mean:.2f} ± {believed.deviation:.2f}{chain}"
    )


def count_asked(routes: Sequence[Route], max_nodes: MaxNodes) -> int:
    """Return how many of the routes, from the first on, are to be asked."""
    if max_nodes == "auto":
        return cutoff(routes)
    return len(routes) if max_nodes == "all" else min(max_nodes, len(routes))


def cutoff(routes: Sequence[Route]) -> int:
    """Return how many routes are worth asking: the first ones that leave less than `LEFT_OUT` of the probability."""
    total = sum(route.evidence.get("chance", 0.0) for route in routes)
    covered = 0.0
    for number, route in enumerate(routes[:MOST], 1):
        covered += route.evidence.get("chance", 0.0)
        if number >= FEWEST and covered >= (1 - LEFT_OUT) * total:
            return number
    return min(MOST, len(routes))
