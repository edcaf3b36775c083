"""Beam search over the docids that exist, and nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..errors import SpaceMismatch
from .docids import Rows, Vectors
from .features import Hashes
from .model import Floats, Model

BEAM = 10


class Beam(NamedTuple):
    """What one model answers: places of documents, best first, their log probabilities, and that of "not mine"."""

    places: Rows
    scores: Floats
    null: float


def beam_search(model: Model, vector: Vectors, hashes: Hashes, beam: int = BEAM) -> Beam:
    """The likeliest documents, at most ``beam`` of them, by log p(docid | question). Raises SpaceMismatch.

    ``vector`` is ``(dimension,)`` float32, ``hashes`` what `features` gives. Each step keeps the ``beam`` likeliest
    prefixes; with a beam as wide as the tree it is exact.
    """
    trie = model.trie
    steps = StepSoftmax(model, vector, hashes)
    prefixes, scores = np.array([-1]), np.zeros(1, np.float32)
    for level in range(trie.levels):
        edges, sizes, log_p = steps.after(prefixes, level)
        along = np.repeat(scores, sizes) + log_p
        best = np.argsort(-along, kind="stable")[:beam]
        prefixes, scores = edges[best], along[best]
    return Beam(prefixes - trie.offsets[-2], scores, steps.null)


def log_probabilities(model: Model, vector: Vectors, hashes: Hashes, places: Rows) -> Floats:
    """``(len(places),)``: log p(docid | question) of some documents, without a search. Raises SpaceMismatch."""
    steps = StepSoftmax(model, vector, hashes)
    total = np.zeros(len(places), np.float32)
    paths = model.trie.paths[places]
    for level in range(model.trie.levels):
        before = paths[:, level - 1] if level else np.full(len(places), -1)
        prefixes, which = np.unique(before, return_inverse=True)
        edges, sizes, log_p = steps.after(prefixes, level)
        starts = np.cumsum(sizes) - sizes
        total += log_p[starts[which] + paths[:, level] - edges[starts[which]]]
    return total


class StepSoftmax:
    """The softmaxes of one question in one model."""

    def __init__(self, model: Model, vector: Vectors, hashes: Hashes) -> None:
        if vector.shape != (model.dimension,):
            raise SpaceMismatch(f"the query vector has shape {vector.shape}; the model's space has {model.dimension}.")
        self._model = model
        self._hidden = model.hidden(vector)
        self._lexical = model.lexical_logits(hashes)
        self._nulls = model.rows[model.trie.edges :] @ self._hidden + self._lexical[model.trie.edges :]

    @cached_property
    def null(self) -> float:
        """log p(the question is not this shard's)."""
        root = self._model.trie.children(-1)
        logits = self._model.rows[root.start : root.stop] @ self._hidden + self._lexical[root.start : root.stop]
        return float(self._nulls[0] - np.logaddexp(np.logaddexp.reduce(logits), self._nulls[0]))

    def after(self, prefixes: Rows, level: int) -> tuple[Rows, Rows, Floats]:
        """The edges that follow some prefixes, one prefix after the other; how many each has; log p of each edge."""
        bounds = self._model.trie.bounds[prefixes + 1]
        sizes = bounds[:, 1] - bounds[:, 0]
        starts = np.cumsum(sizes) - sizes
        edges = np.repeat(bounds[:, 0] - starts, sizes) + np.arange(sizes.sum())
        logits = self._model.rows[edges] @ self._hidden + self._lexical[edges]
        totals = np.logaddexp(np.logaddexp.reduceat(logits, starts), self._nulls[level])
        return edges, sizes, logits - np.repeat(totals, sizes)
