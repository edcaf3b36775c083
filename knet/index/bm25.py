"""BM25 index of a collection: its protocol, and an implementation in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import bm25s
import numpy as np

from .analyser import tokens
from .lexical import K1, B


class LexicalIndex(Protocol):
    """BM25 index of one collection. Its statistics are those of the live chunks."""

    def score(self, question: str, k: int, others: Callable[[], Iterable[int]]) -> dict[int, float]:
        """Return BM25 by row: of the best ``k`` rows with a word of the question, and of all ``others``.

        ``others`` is called last, so its work may run in parallel; its errors are raised here.
        Raises StoreError when an index on disk is damaged.
        """
        ...


class MemoryLexical:
    """Exact BM25 index in memory, which scores every chunk."""

    def __init__(self, texts: Sequence[str]) -> None:
        vocabulary: dict[str, int] = {}  # numbers take a seventh of the memory of short words
        corpus = [[vocabulary.setdefault(term, len(vocabulary)) for term in tokens(text)] for text in texts]
        self._chunks = len(corpus)
        self._bm25 = bm25s.BM25(k1=K1, b=B) if vocabulary else None
        if self._bm25 is not None:
            self._bm25.index((corpus, vocabulary), show_progress=False)

    def score(self, question: str, k: int, others: Callable[[], Iterable[int]]) -> dict[int, float]:
        known = [t for t in dict.fromkeys(tokens(question)) if self._bm25 is not None and t in self._bm25.vocab_dict]
        if self._bm25 is None or not known:
            return dict.fromkeys(others(), 0.0)
        scores = self._bm25.get_scores(known)
        top = np.argpartition(-scores, min(k, self._chunks) - 1)[:k]
        return {row: float(scores[row]) for row in {*others(), *top[scores[top] > 0].tolist()}}
