"""Search over the models of several shards.

The paper adds up each model's softmax over its own beam, so a model without relevant documents votes with full weight.
Here a model's log p(docid) includes log(1 - p(null)). The scores of all models are thus comparable, and the merged list
is the sorted union.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .docids import Vectors
from .features import features
from .model import Model
from .search import BEAM, beam_search, log_probabilities

FLOOR = -20.0  # lowest log score; also that of an id in no model


class Candidate(NamedTuple):
    """Id and its log score: the highest log p(docid | question) over the models, at least `FLOOR`."""

    docid: str
    score: float


class DsiRetriever:
    """Retriever that needs models alone: no index, no text, no node. Thread-safe; all models must be of one space."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = list(models)

    def search(self, question: str, vector: Vectors, *, k: int = BEAM, beam: int = BEAM) -> list[Candidate]:
        """Return the ``k`` most probable ids over all models, best first. ``vector`` is ``(dimension,)`` float32.

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
        """Return the log scores of given ids, such as other retrievers' candidates. Raises SpaceMismatch."""
        hashes = features(question)
        scores = dict.fromkeys(docids, FLOOR)
        for model in self.models:
            known = [name for name in scores if name in model.places]
            places = np.array([model.places[name] for name in known], np.int64)
            if known:
                for name, score in zip(known, log_probabilities(model, vector, hashes, places).tolist(), strict=True):
                    scores[name] = max(scores[name], score)
        return scores
