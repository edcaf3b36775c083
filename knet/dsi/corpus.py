"""Passages and questions on their way into training, and pseudo-questions where nobody has asked yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..index.sentences import sentences
from .docids import Rows, Vectors
from .examples import FOREIGN, Examples
from .features import features
from .pairs import WeightedPair, cap_contributors

PSEUDO_WEIGHT = 0.3  # of a sentence that stands in for a question: people ask otherwise than texts state
PSEUDO_PER_PASSAGE = 3
PSEUDO_WORDS = 4  # shorter sentences say nothing that would be asked


class Passages(NamedTuple):
    """``vectors`` is ``(n, dimension)`` float32, in one space. An id may be anything: a CID, a URL, a magnet link."""

    ids: list[str]
    texts: list[str]
    vectors: Vectors

    def take(self, rows: Rows) -> Passages:
        """Some of them."""
        return Passages([self.ids[row] for row in rows], [self.texts[row] for row in rows], self.vectors[rows])


class Questions(NamedTuple):
    """Pairs and the vectors of their questions, ``(n, dimension)`` float32. A pair without docid is a foreign one."""

    pairs: list[WeightedPair]
    vectors: Vectors

    def take(self, rows: Rows) -> Questions:
        """Some of them."""
        return Questions([self.pairs[row] for row in rows], self.vectors[rows])


def pseudo_pairs(passages: Passages, asked: Sequence[WeightedPair]) -> list[WeightedPair]:
    """Headings and first sentences of the passages that no question is about, as pairs of low weight."""
    known = {pair.docid for pair in asked}
    found = []
    for name, text in zip(passages.ids, passages.texts, strict=True):
        if name not in known:
            said = [text[span.start : span.end] for span in sentences(text)]
            said = [each for each in said if len(each.split()) >= PSEUDO_WORDS] or [text]
            found += [WeightedPair(each, name, PSEUDO_WEIGHT) for each in said[:PSEUDO_PER_PASSAGE]]
    return found


def encode_examples(questions: Questions, places: dict[str, int]) -> Examples:
    """Questions in numbers: the place of each one's document, `FOREIGN` for an id that is not among ``places``."""
    pairs = cap_contributors(questions.pairs, len(places))
    return Examples(
        vectors=questions.vectors.astype(np.float16),
        features=[features(pair.question) for pair in pairs],
        places=np.array([places.get(pair.docid, FOREIGN) for pair in pairs], np.int64),
        weights=np.array([pair.weight for pair in pairs], np.float32),
    )
