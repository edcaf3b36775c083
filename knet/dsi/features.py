"""What the lexical head sees of a question: hashed terms, and hashed beginnings of long ones instead of stems."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..index.lexical import tokens

STEM = 5  # letters: "invaded" and "invasion" share one feature; no rules, so no language is assumed
MAX_TERMS = 256  # of a question or sentence: bounds the work a single one can cause

Hashes = npt.NDArray[np.uint32]


def features(text: str) -> Hashes:
    """Sorted distinct ``<u4`` hashes of a text's terms and of the beginnings of those longer than `STEM`."""
    found: set[int] = set()
    for term in list(dict.fromkeys(tokens(text)))[:MAX_TERMS]:
        found.update(term_features(term))
    return np.array(sorted(found), np.uint32)


def term_features(term: str) -> tuple[int, ...]:
    """The features of one term."""
    whole = crc32(term.encode())
    return (whole, crc32(b"~" + term[:STEM].encode())) if len(term) > STEM else (whole,)
