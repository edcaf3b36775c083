"""Term statistics and BM25 scores. Node and client use the same tokens, so a client can recompute a score.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with Lucene's non-negative idf.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..derivation import TermStatistics
from ..records import Lexical
from .analyser import tokens

K1 = 1.2
B = 0.75
Counts = npt.NDArray[np.uint32]


def term_hash(term: str) -> int:
    """Return the CRC-32 of a term's UTF-8, which represents it in a routing card."""
    return crc32(term.encode())


def document_frequency(texts: Iterable[Sequence[str]]) -> Counter[str]:
    """Count the token lists that each term occurs in."""
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update(set(words))
    return counts


def term_statistics(texts: Sequence[str]) -> Lexical:
    """Return the term statistics of one shard's chunks."""
    words = [tokens(text) for text in texts]
    counts = document_frequency(words)
    terms = sorted(counts)
    return Lexical(
        terms=terms,
        df=np.array([counts[term] for term in terms], "<u4").tobytes(),
        lengths=np.array([len(w) for w in words], "<u4").tobytes(),
    )


class Statistics:
    """Collection-wide statistics for BM25: number of chunks, their mean length, document frequencies."""

    def __init__(self, chunks: int, average_length: float, df: Mapping[str, int]) -> None:
        self.chunks = chunks
        self.average_length = max(average_length, 1.0)
        self._df = df

    @classmethod
    def of(cls, record: TermStatistics) -> Statistics:
        return cls(record.chunks, record.average_length, record.df)

    def record(self, terms: Iterable[str]) -> TermStatistics:
        """Return the statistics of these terms, which suffice for a question of them."""
        df = {term: int(self._df.get(term, 0)) for term in terms}
        return TermStatistics(chunks=int(self.chunks), average_length=float(self.average_length), df=df)

    def idf(self, term: str) -> float:
        """Return ln(1 + (N - df + 0.5) / (df + 0.5)), with a df of at least 1."""
        df = max(self._df.get(term, 0), 1)
        return math.log1p((max(self.chunks - df, 0) + 0.5) / (df + 0.5))

    def score(self, weights: Mapping[str, float], words: Sequence[str], length: int | None = None) -> float:
        """Return the BM25 score of one text's tokens.

        ``weights`` holds the idf of each of the question's tokens; ``length`` is the text's, if not ``len(words)``.
        """
        counts: dict[str, int] = {}
        for word in words:
            if word in weights:
                counts[word] = counts.get(word, 0) + 1
        norm = K1 * (1 - B + B * (len(words) if length is None else length) / self.average_length)
        return sum(weights[term] * count * (K1 + 1) / (count + norm) for term, count in counts.items())
