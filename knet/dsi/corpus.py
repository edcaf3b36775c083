"""Passages and questions for training, and pseudo-questions for passages without questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..index.sentences import sentences
from .docids import Rows, Vectors
from .examples import FOREIGN, Examples
from .features import features
from .pairs import WeightedPair, cap_contributors

PSEUDO_WEIGHT = 0.3  # of a sentence used as a question: its wording differs from real questions
PSEUDO_PER_PASSAGE = 3
PSEUDO_WORDS = 4  # shorter sentences make poor questions


class Passages(NamedTuple):
    """``vectors`` is ``(n, dimension)`` float32, in one space. An id may be anything: a CID, a URL, a magnet link."""

    ids: list[str]
    texts: list[str]
    vectors: Vectors

    def take(self, rows: Rows) -> Passages:
        """Return the passages of some rows."""
        return Passages([self.ids[row] for row in rows], [self.texts[row] for row in rows], self.vectors[rows])


class Questions(NamedTuple):
    """Pairs and the vectors of their questions, ``(n, dimension)`` float32. A pair without docid is foreign."""

    pairs: list[WeightedPair]
    vectors: Vectors

    def take(self, rows: Rows) -> Questions:
        """Return the questions of some rows."""
        return Questions([self.pairs[row] for row in rows], self.vectors[rows])


def pseudo_pairs(passages: Passages, asked: Sequence[WeightedPair]) -> list[WeightedPair]:
    """Return headings and first sentences of the passages without questions, as pairs of low weight."""
    known = {pair.docid for pair in asked}
    found = []
    for name, text in zip(passages.ids, passages.texts, strict=True):
        if name not in known:
            cut = [text[span.start : span.end] for span in sentences(text)]
            long = [sentence for sentence in cut if len(sentence.split()) >= PSEUDO_WORDS] or [text]
            found += [WeightedPair(sentence, name, PSEUDO_WEIGHT) for sentence in long[:PSEUDO_PER_PASSAGE]]
    return found


def encode_examples(questions: Questions, places: dict[str, int]) -> Examples:
    """Return questions as training examples; a docid that is not in ``places`` becomes `FOREIGN`."""
    pairs = cap_contributors(questions.pairs, len(places))
    return Examples(
        vectors=questions.vectors.astype(np.float16),
        features=[features(pair.question) for pair in pairs],
        places=np.array([places.get(pair.docid, FOREIGN) for pair in pairs], np.int64),
        weights=np.array([pair.weight for pair in pairs], np.float32),
    )
