"""Several shards' models asked as one.

The paper adds up each model's softmax over its own beam, so a model that knows nothing votes with as much weight as
one that knows. Here a model's log p(docid) already holds log(1 - p(null)), so the scores of all models are comparable
as they are: the merged list is the sorted union.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .docids import Vectors
from .features import features
from .model import Model
from .search import BEAM, beam_search, log_probabilities

FLOOR = -20.0  # log score below which documents are equally hopeless; also that of an id no model knows


class Candidate(NamedTuple):
    """An id and its log score: log p(docid | question) in the model that knows it best, `FLOOR` at least."""

    docid: str
    score: float


class DsiRetriever:
    """Search by models alone: no index, no text, no node. Thread-safe; every model must be of one space."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = list(models)

    def search(self, question: str, vector: Vectors, *, k: int = BEAM, beam: int = BEAM) -> list[Candidate]:
        """The ``k`` likeliest ids over all models, best first. ``vector`` is ``(dimension,)`` float32.

        Raises SpaceMismatch.
        """
        hashes = features(question)
        best: dict[str, float] = {}
        for model in self.models:
            found = beam_search(model, vector, hashes, max(beam, k))
            for place, score in zip(found.places.tolist(), found.scores.tolist(), strict=True):
                name = model.ids[place]
                best[name] = max(best.get(name, FLOOR), score)
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [Candidate(name, score) for name, score in ranked[:k]]

    def score(self, question: str, vector: Vectors, docids: Iterable[str]) -> dict[str, float]:
        """The log score of given ids, such as other retrievers' candidates. Raises SpaceMismatch."""
        hashes = features(question)
        scores = dict.fromkeys(docids, FLOOR)
        for model in self.models:
            known = [name for name in scores if name in model.places]
            places = np.array([model.places[name] for name in known], np.int64)
            if known:
                for name, score in zip(known, log_probabilities(model, vector, hashes, places).tolist(), strict=True):
                    scores[name] = max(scores[name], score)
        return scores
