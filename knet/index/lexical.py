"""Tokens, term statistics and BM25 scores. The same tokens on both sides, so that a client can score again.

BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with Lucene's non-negative idf.
"""

from __future__ import annotations

import codecs
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..records import Lexical

K1 = 1.2
B = 0.75
_TOKEN = re.compile(r"[^\W_]+")
_GAP = re.compile(r"[\W_]+")
_LOWER = bytes(
    byte if byte > 127 else ord(chr(byte).lower()) if chr(byte).isalnum() else ord(" ") for byte in range(256)
)
_FOREIGN = 1 / 8  # bytes beyond one a character, from which on `_fold` would be called for most words

Counts = npt.NDArray[np.uint32]


def tokens(text: str) -> list[str]:
    """Runs of letters and digits, case folded.

    Every passage of every reply is read this way, so what is mostly ASCII goes byte by byte, which is 2 to 3 times as
    fast, and only the characters beyond it through `_fold`.
    """
    if len(text.encode(errors="replace")) > (1 + _FOREIGN) * len(text):
        return _TOKEN.findall(text.casefold())
    return text.encode("ascii", "knet-fold").translate(_LOWER).decode().split()


def _fold(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    run = error.object[error.start : error.end]
    return _GAP.sub(" ", run.casefold()).encode(), error.end


codecs.register_error("knet-fold", _fold)


def term_hash(term: str) -> int:
    """What stands for a term in a routing card: CRC-32 of its UTF-8."""
    return crc32(term.encode())


def document_frequency(texts: Iterable[Sequence[str]]) -> Counter[str]:
    """In how many token lists each term occurs."""
    counts: Counter[str] = Counter()
    for words in texts:
        counts.update(set(words))
    return counts


def term_statistics(texts: Sequence[str]) -> Lexical:
    """Term statistics of the chunks of one shard."""
    words = [tokens(text) for text in texts]
    counts = document_frequency(words)
    terms = sorted(counts)
    return Lexical(
        terms=terms,
        df=np.array([counts[term] for term in terms], "<u4").tobytes(),
        lengths=np.array([len(w) for w in words], "<u4").tobytes(),
    )


class Statistics:
    """Collection-wide statistics a BM25 score depends on: chunks, their mean length, document frequencies."""

    def __init__(self, chunks: int, average_length: float, df: Mapping[str, int]) -> None:
        self.chunks = chunks
        self.average_length = max(average_length, 1.0)
        self._df = df

    def idf(self, term: str) -> float:
        """ln(1 + (N - df + 0.5) / (df + 0.5)); a term nobody has counts as one that a single chunk has."""
        df = max(self._df.get(term, 0), 1)
        return math.log1p((max(self.chunks - df, 0) + 0.5) / (df + 0.5))

    def score(self, weights: Mapping[str, float], words: Sequence[str], length: int | None = None) -> float:
        """BM25 of one text's tokens; ``weights`` holds the idf of each of the question's tokens. ``length`` is what the
        text counts as long, if that is not all of ``words``."""
        counts: dict[str, int] = {}
        for word in words:
            if word in weights:
                counts[word] = counts.get(word, 0) + 1
        norm = K1 * (1 - B + B * (len(words) if length is None else length) / self.average_length)
        return sum(weights[term] * count * (K1 + 1) / (count + norm) for term, count in counts.items())
