"""Finding the chunks whose words fit a question best, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import bm25s
import numpy as np

from .lexical import K1, B, tokens


class LexicalIndex(Protocol):
    """The words of one collection, findable. Statistics are those of its live chunks."""

    def score(self, question: str, k: int, rows: Iterable[int]) -> dict[int, float]:
        """BM25 by row: of the best ``k`` rows that hold a word of the question, and of ``rows`` whatever they hold.

        Raises StoreError when an index on disk is damaged.
        """
        ...


class MemoryLexical:
    """Every chunk scored, in memory: nothing is missed."""

    def __init__(self, texts: Sequence[str]) -> None:
        corpus = [tokens(text) for text in texts]
        self._chunks = len(corpus)
        self._bm25 = bm25s.BM25(k1=K1, b=B) if any(corpus) else None
        if self._bm25 is not None:
            self._bm25.index(corpus, show_progress=False)

    def score(self, question: str, k: int, rows: Iterable[int]) -> dict[int, float]:
        known = [t for t in dict.fromkeys(tokens(question)) if self._bm25 is not None and t in self._bm25.vocab_dict]
        if self._bm25 is None or not known:
            return dict.fromkeys(rows, 0.0)
        scores = self._bm25.get_scores(known)
        top = np.argpartition(-scores, min(k, self._chunks) - 1)[:k]
        return {row: float(scores[row]) for row in {*rows, *top[scores[top] > 0].tolist()}}
