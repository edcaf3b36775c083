"""Learners of source reliability: the paper's update rule, and knet's with and without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmarks.simulated import ASKED, KEPT, Network
from knet.records import Reputation
from knet.trust.agreement import claim, outcomes
from knet.trust.reliability import observed, passage_key


class Learner(Protocol):
    """Learner that answers questions and updates its beliefs."""

    network: Network

    def answer(self, question: int, *, learn: bool) -> list[tuple[int, int]]:
        """Return the (source, passage) pairs of the answer's context."""
        ...


class Paper:
    """Reliable-dRAG (arXiv 2511.07577): usefulness U steers sampling, reliability R a share of the rank.

    An answer grounded in no passage lowers U of the sources by ``STEP``; a grounded one raises it, and moves R of the
    sources it is grounded in up where it is right and down where it is wrong.
    """

    WEIGHT = 0.5
    STEP = 0.1  # against a beginning of 1; only its ratio to that matters

    def __init__(self, network: Network, seed: int) -> None:
        self.network = network
        self._chance = np.random.default_rng(seed)
        self._numbers = sorted(network.sources)
        self.usefulness = dict.fromkeys(self._numbers, 1.0)
        self.reliability = dict.fromkeys(self._numbers, 1.0)

    def answer(self, question: int, *, learn: bool) -> list[tuple[int, int]]:
        fetched = [(s, p) for s in self._sample() for p in self.network.fetch(question, s)]
        ranked = self.network.merge(question, fetched, {}, k=len(fetched), collapse=False)
        relevance = _min_max([each.score for _, each in ranked])
        low, high = min(self.reliability.values()), max(self.reliability.values())
        trust = [(self.reliability[each.checked.node] - low) / max(high - low, 1e-9) for _, each in ranked]
        final = (1 - self.WEIGHT) * relevance + self.WEIGHT * np.array(trust)
        shown = [(ranked[at][1].checked.node, ranked[at][0]) for at in np.argsort(-final, kind="stable")[:KEPT]]
        if learn:
            self._learn(question, shown)
        return shown

    def _sample(self) -> list[int]:
        weights = np.maximum([self.usefulness[number] for number in self._numbers], 0)
        count = min(ASKED, int((weights > 0).sum()))
        if not count:
            return self._numbers[:ASKED]
        return self._chance.choice(self._numbers, count, replace=False, p=weights / weights.sum()).tolist()  # type: ignore[no-any-return]

    def _learn(self, question: int, shown: Sequence[tuple[int, int]]) -> None:
        pool = self.network.pool
        wrong = {source for source, passage in shown if pool.is_planted(passage, question)}
        right = {source for source, passage in shown if pool.holds_gold(passage, question)} - wrong
        for source in {source for source, _ in shown}:
            if not right and not wrong:
                self.usefulness[source] -= self.STEP
            elif source in right | wrong:
                self.usefulness[source] += self.STEP
                self.reliability[source] += self.STEP if source in right else -self.STEP


class Knet:
    """knet's learner: Beta posteriors updated by labels, by cross-source agreement, or by both."""

    AGREEMENT = 1.0  # evidence in one outcome without a label, against one with

    def __init__(self, network: Network, *, labels: bool, agreement: bool = True) -> None:
        self.network = network
        self._labels = labels
        self._agreement = agreement
        self.reliability: dict[int, Reputation] = {}
        self.usefulness: dict[int, Reputation] = {}
        self.ratings: dict[bytes, Reputation] = {}

    def answer(self, question: int, *, learn: bool) -> list[tuple[int, int]]:
        asked = self.network.route(question, self.reliability, self.usefulness)
        fetched = [(source, passage) for source in asked for passage in self.network.fetch(question, source)]
        ranked = self.network.merge(question, fetched, self.reliability, ratings=self.ratings)
        shown = [(each.checked.node, passage) for passage, each in ranked]
        held = [(source, passage) for passage, each in ranked for source in (each.checked.node, *each.sources)]
        if learn:
            self._use(asked, {source for source, _ in shown})
            found = self._agreed(question, fetched) if self._agreement else {}
            if self._labels:
                self._rate(question, held)
            for source, outcome in found.items():
                self._observe(source, outcome, self.AGREEMENT)
        return shown

    def _use(self, asked: Sequence[int], used: set[int]) -> None:
        for source in asked:
            known = self.usefulness.get(source, Reputation())
            self.usefulness[source] = observed(known, 1.0 if source in used else -1.0)

    def _agreed(self, question: int, fetched: Sequence[tuple[int, int]]) -> dict[int, float]:
        text, pool = self.network.pool.world.questions[question].text, self.network.pool
        return outcomes([claim(source, text, pool.texts[passage]) for source, passage in fetched], self.reliability)

    def _rate(self, question: int, held: Sequence[tuple[int, int]]) -> None:
        pool = self.network.pool
        for source, passage in held:
            if pool.is_planted(passage, question):
                self._judge(source, passage, -1.0)
            elif pool.holds_gold(passage, question):
                self._judge(source, passage, 1.0)

    def _judge(self, source: int, passage: int, outcome: float) -> None:
        self._observe(source, outcome)
        key = passage_key(self.network.pool.words[passage])
        self.ratings[key] = observed(self.ratings.get(key, Reputation()), outcome)

    def _observe(self, source: int, outcome: float, weight: float = 1.0) -> None:
        self.reliability[source] = observed(self.reliability.get(source, Reputation()), outcome, weight)


def _min_max(values: Sequence[float]) -> np.ndarray:  # type: ignore[type-arg]
    found = np.array(values)
    return (found - found.min()) / max(float(found.max() - found.min()), 1e-9)
