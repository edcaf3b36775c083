"""Contexts shown to one client: places among the top k passages of simulated nodes, by knet's own routing and merging.

Collections are dealt from SQuAD's paragraphs, by article (nodes with subjects of their own) or at random (every node
competes with every other).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.passages import Passage, at_random, by_article, embedded, squad
from benchmarks.pollution import Question, World
from benchmarks.simulated import Network, Pool, Source
from knet.embed.base import Embedder
from knet.records import Reputation
from knet.routing.query import Priors, Query
from knet.routing.router import cutoff, route

PASSAGES = 1500
ASKED = 700  # questions, of which raters, clients and measurements get different ones
NODES = 20
FETCHED = 8  # passages a node sends: the product's k
SHOWN = 8  # places in an answer
DEALS = {"topical": by_article, "mixed": at_random}

Places = Mapping[int, float]


def load_world(embedder: Embedder) -> tuple[World, list[Passage]]:
    """Paragraphs and questions about them, embedded once and kept."""
    passages, questions = squad(PASSAGES, ASKED)
    rows = {passage.id: row for row, passage in enumerate(passages)}
    texts = [passage.text for passage in passages]
    asked = [Question(each.text, rows[each.gold], (), ()) for each in questions]
    vectors = embedded(texts, embedder)
    return World("squad", asked, [texts], [vectors], embedded([q.text for q in asked], embedder, query=True)), passages


class Contexts:
    """One deal of the collections to ``NODES`` nodes, numbered from 1, and the answers that clients get of them.

    A number in ``renamed`` is a further identity of the node it maps to, in whose place it answers.
    """

    def __init__(self, world: World, passages: Sequence[Passage], embedder: Embedder, deal: str) -> None:
        self.world = world
        rows = {passage.id: row for row, passage in enumerate(passages)}
        pool = Pool(world, embedder.space)
        self._sources = [
            Source(number, pool, np.array([rows[passage.id] for passage in collection]))
            for number, collection in enumerate(DEALS[deal](passages, NODES), 1)
        ]
        self.network = Network(pool, self._sources)
        self._fetched: dict[tuple[int, int], list[int]] = {}

    def renamed(self, node: int, identity: int) -> Contexts:
        """Return the same network, in which ``node`` has left and answers under a new identity."""
        other = object.__new__(Contexts)
        other.world = self.world
        pool = self.network.pool
        other._sources = [Source(identity, pool, each.held) if each.number == node else each for each in self._sources]
        other.network = Network(pool, other._sources)
        other._fetched = {
            (question, identity if source == node else source): found
            for (question, source), found in self._fetched.items()
        }
        return other

    def fetch(self, question: int, node: int) -> list[int]:
        """Return a node's best passages for a question."""
        key = question, node
        if key not in self._fetched:
            self._fetched[key] = self.network.sources[node].fetch(question, FETCHED)
        return self._fetched[key]

    def shown(self, question: int, beliefs: Mapping[int, Reputation], *, k: int = SHOWN) -> list[int]:
        """Return the node of each passage shown, best first, to a client that holds ``beliefs``."""
        fetched = [(node, p) for node in self._selected(question, beliefs) for p in self.fetch(question, node)]
        ranked = self.network.merge(question, fetched, beliefs, k=k)
        return [each.checked.node for _, each in ranked]

    def _selected(self, question: int, beliefs: Mapping[int, Reputation]) -> list[int]:
        query = Query(self.world.questions[question].text, {self.network.pool.cid: self.world.asked[question]})
        routes = route(query, self.network.views.values(), Priors(beliefs=lambda on_chain: beliefs))
        return [each.node for each in routes[: cutoff(routes)]]

    def places(self, questions: Sequence[int], beliefs: Mapping[int, Reputation]) -> Places:
        """Return the number of places of each node over all questions."""
        return Counter(node for question in questions for node in self.shown(question, beliefs))
