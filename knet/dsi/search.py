"""Beam search over the existing docids."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import SpaceMismatch
from .docids import Rows, Vectors
from .features import Hashes
from .model import Floats, Model

BEAM = 10


class Beam(NamedTuple):
    """Result of one model: places of documents, best first, and their log probabilities."""

    places: Rows
    scores: Floats


def beam_search(model: Model, vector: Vectors, hashes: Hashes, beam: int = BEAM) -> Beam:
    """Return the most probable documents, at most ``beam``, by log p(docid | question). Raises SpaceMismatch.

    ``vector`` is ``(dimension,)`` float32, ``hashes`` the result of `features`. Each step keeps the ``beam`` most
    probable prefixes. With a beam as wide as the tree, the search is exact.
    """
    trie = model.trie
    steps = StepSoftmax(model, vector, hashes)
    prefixes, scores = np.array([-1]), np.zeros(1, np.float32)
    for level in range(trie.levels):
        edges, sizes, log_p = steps.expand(prefixes, level)
        along = np.repeat(scores, sizes) + log_p
        best = np.argsort(-along, kind="stable")[:beam]
        prefixes, scores = edges[best], along[best]
    return Beam(prefixes - trie.offsets[-2], scores)


def log_probabilities(model: Model, vector: Vectors, hashes: Hashes, places: Rows) -> Floats:
    """Return ``(len(places),)``: log p(docid | question) of some documents, without a search. Raises SpaceMismatch."""
    steps = StepSoftmax(model, vector, hashes)
    total = np.zeros(len(places), np.float32)
    paths = model.trie.paths[places]
    for level in range(model.trie.levels):
        before = paths[:, level - 1] if level else np.full(len(places), -1)
        prefixes, index = np.unique(before, return_inverse=True)
        edges, sizes, log_p = steps.expand(prefixes, level)
        starts = np.cumsum(sizes) - sizes
        total += log_p[starts[index] + paths[:, level] - edges[starts[index]]]
    return total


class StepSoftmax:
    """Softmaxes of one question in one model."""

    def __init__(self, model: Model, vector: Vectors, hashes: Hashes) -> None:
        if vector.shape != (model.dimension,):
            raise SpaceMismatch(f"The query vector has shape {vector.shape}; the model's space has {model.dimension}.")
        self._model = model
        self._hidden = model.hidden(vector)
        self._lexical = model.lexical_logits(hashes)
        self._nulls = model.rows[model.trie.edges :] @ self._hidden + self._lexical[model.trie.edges :]

    def expand(self, prefixes: Rows, level: int) -> tuple[Rows, Rows, Floats]:
        """Return the edges after some prefixes, prefix by prefix; their number for each; log p of each edge."""
        bounds = self._model.trie.bounds[prefixes + 1]
        sizes = bounds[:, 1] - bounds[:, 0]
        starts = np.cumsum(sizes) - sizes
        edges = np.repeat(bounds[:, 0] - starts, sizes) + np.arange(sizes.sum())
        logits = self._model.rows[edges] @ self._hidden + self._lexical[edges]
        totals = np.logaddexp(np.logaddexp.reduceat(logits, starts), self._nulls[level])
        return edges, sizes, logits - np.repeat(totals, sizes)
