"""Comparison of two texts by their words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_WIDE = re.compile(r"[\u0e00-\u0e7f\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
MIN_GLUED = 6  # letters; shorter words are made of others by chance


class Compared(NamedTuple):
    """Shares of the words of the right text that were found, and found in order; share of letters in glued words."""

    recall: float
    order: float
    glued: float
    words: int
    extra: float  # share of the found words that the right text lacks


def words(text: str) -> list[str]:
    """Return the words of a text without marks and case; each character of a script without spaces is a word."""
    text = unicodedata.normalize("NFKC", text.replace("\u00ad", "")).casefold()
    return _WORD.findall(_WIDE.sub(lambda match: f" {match[0]} ", text))


def compare(found: str, right: str) -> Compared:
    """Compare the text that was read with the right one."""
    ours, theirs = words(found), words(right)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    total = max(1, len(theirs))
    known = set(theirs)
    glued = sum(len(word) for word in ours if word not in known and is_glued(word, known))
    return Compared(
        recall=shared / total,
        order=longest_common(ours, theirs) / total,
        glued=glued / max(1, sum(map(len, ours))),
        words=len(theirs),
        extra=1 - shared / max(1, len(ours)),
    )


def is_glued(word: str, known: set[str]) -> bool:
    """Tell if a word is made of two or more known ones of two letters or more."""
    if len(word) < MIN_GLUED or not word.isalpha():
        return False
    ends = {0}
    for end in range(2, len(word) + 1):
        if any(end - start >= 2 and word[start:end] in known for start in ends):
            ends.add(end)
    return len(word) in ends


def longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by the bits of integers.

    Hyyrö, "Bit-parallel LCS-length computation revisited" (2004).
    """
    places: dict[str, int] = {}
    for position, word in enumerate(a):
        places[word] = places.get(word, 0) | (1 << position)
    mask = (1 << len(a)) - 1
    row = mask
    for word in b:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & mask
    return len(a) - row.bit_count()
