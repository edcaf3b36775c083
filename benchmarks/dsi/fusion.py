"""Fusion of models with BM25 and dense retrieval: a convex combination of z-scores, with held-out tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import bm25s
import numpy as np
import numpy.typing as npt

from knet.dsi.corpus import Passages, Questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.model import Model
from knet.index.analyser import tokens
from knet.index.lexical import K1, B

POOL = 50  # of each retriever
GRID = np.linspace(0, 1, 21)
RESAMPLES = 5000

Floats = npt.NDArray[np.float64]


class Pool(NamedTuple):
    """One question's candidates: z-scores ``(retrievers, candidates)``, and the relevant one (-1: none)."""

    scores: Floats
    gold: int


class Weights(NamedTuple):
    """Weights of BM25 against dense, and of the models against both."""

    bm25: float
    models: float


class Searcher:
    """BM25 and cosine over all passages, and models over their shards."""

    def __init__(self, passages: Passages, models: Sequence[Model]) -> None:
        self._passages = passages
        self._models = DsiRetriever(models)
        self._places = {name: place for place, name in enumerate(passages.ids)}
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._bm25.index([tokens(text) for text in passages.texts], show_progress=False)

    def pools(self, questions: Questions, *, models: bool) -> Iterator[Pool]:
        """Yield the union of each retriever's best, with every retriever's score for each."""
        for pair, vector in zip(questions.pairs, questions.vectors, strict=True):
            rows = [self._lexical(pair.question), self._passages.vectors @ vector]
            best = {int(place) for row in rows for place in np.argsort(-row, kind="stable")[:POOL]}
            if models:
                found = self._models.search(pair.question, vector, k=POOL, beam=POOL)
                best |= {self._places[each.docid] for each in found}
            places = sorted(best)
            scores = [row[places] for row in rows]
            if models:
                names = [self._passages.ids[place] for place in places]
                given = self._models.score(pair.question, vector, names)
                scores.append(np.array([given[name] for name in names]))
            gold = self._places[pair.docid]
            yield Pool(np.stack([_z(row) for row in scores]), places.index(gold) if gold in best else -1)

    def _lexical(self, question: str) -> Floats:
        known = [term for term in dict.fromkeys(tokens(question)) if term in self._bm25.vocab_dict]
        found: Floats = self._bm25.get_scores(known) if known else np.zeros(len(self._passages.ids))
        return found


def _z(row: Floats) -> Floats:
    found: Floats = (row - row.mean()) / max(float(row.std()), 1e-9)
    return found


def reciprocal_ranks(pools: Sequence[Pool], weights: Weights) -> Floats:
    """Return ``(questions,)``."""
    found = []
    for pool in pools:
        total = weights.bm25 * pool.scores[0] + (1 - weights.bm25) * pool.scores[1]
        if len(pool.scores) > 2:
            total = (1 - weights.models) * total + weights.models * pool.scores[2]
        found.append(0.0 if pool.gold < 0 else 1 / (1 + int((total > total[pool.gold]).sum())))
    return np.array(found)


def fit_weights(two: Sequence[Pool], three: Sequence[Pool]) -> Weights:
    """Return the weights with the best MRR on validation questions: first of two retrievers, then of the third."""
    bm25 = max(GRID, key=lambda weight: reciprocal_ranks(two, Weights(weight, 0)).mean())
    models = max(GRID, key=lambda weight: reciprocal_ranks(three, Weights(bm25, weight)).mean())
    return Weights(float(bm25), float(models))


def interval(differences: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over questions."""
    rng = np.random.default_rng(0)
    means = [rng.choice(differences, len(differences)).mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
