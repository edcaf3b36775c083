"""Evaluation of models: retrieval quality, latency and size."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from ..records import Record
from .corpus import Questions
from .ensemble import DsiRetriever
from .model import Model
from .publish import model_blocks
from .search import BEAM


class Evaluation(Record, frozen=True):
    """Metrics over questions with one relevant document each. ``mrr`` counts ranks beyond 10 as not found."""

    questions: int
    hit_at_1: float
    hit_at_10: float
    mrr: float
    milliseconds: float


class ModelSummary(Record, frozen=True):
    """Size of one model. ``bytes`` is the size of the published blocks."""

    documents: int
    levels: int
    edges: int
    features: int
    bytes: int


def evaluate(retriever: DsiRetriever, questions: Questions, beam: int = BEAM) -> Evaluation:
    """Search for every question with a docid, and return the metrics. Raises SpaceMismatch."""
    ranks = []
    started = time.perf_counter()
    for pair, vector in zip(questions.pairs, questions.vectors, strict=True):
        if pair.docid:
            found = [each.docid for each in retriever.search(pair.question, vector, k=10, beam=beam)]
            ranks.append(found.index(pair.docid) + 1 if pair.docid in found else 0)
    milliseconds = 1000 * (time.perf_counter() - started) / max(len(ranks), 1)
    return Evaluation(questions=len(ranks), milliseconds=milliseconds, **rank_metrics(ranks))


def rank_metrics(ranks: Iterable[int]) -> dict[str, float]:
    """Return hit@1, hit@10 and MRR of ranks, which begin at 1; 0 means not found."""
    found = np.array(list(ranks), np.float64)
    if not len(found):
        return {"hit_at_1": 0.0, "hit_at_10": 0.0, "mrr": 0.0}
    return {
        "hit_at_1": float((found == 1).mean()),
        "hit_at_10": float(((found > 0) & (found <= 10)).mean()),
        "mrr": float(np.where(found > 0, 1 / np.maximum(found, 1), 0).mean()),
    }


def summarize(model: Model) -> ModelSummary:
    """Return the sizes that `knet dsi show` prints."""
    return ModelSummary(
        documents=len(model.ids),
        levels=model.trie.levels,
        edges=model.trie.edges,
        features=len(model.lexical.terms),
        bytes=sum(map(len, model_blocks(model))),
    )
