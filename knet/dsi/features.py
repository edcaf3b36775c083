"""Features of the lexical head: hashed terms, and hashed prefixes of long terms instead of stems."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt

from ..index.analyser import split_words

STEM = 5  # letters: "invaded" and "invasion" share one feature; no rules, so independent of the language
MAX_TERMS = 256  # of a question or sentence: bounds the work for one

Hashes = npt.NDArray[np.uint32]


def features(text: str) -> Hashes:
    """Return sorted distinct ``<u4`` hashes of a text's terms, and of the prefixes of terms longer than `STEM`."""
    terms = list(dict.fromkeys(split_words(text)))[:MAX_TERMS]
    return np.array(sorted({feature for term in terms for feature in term_features(term)}), np.uint32)


def term_features(term: str) -> tuple[int, ...]:
    """Return the features of one term."""
    whole = crc32(term.encode())
    return (whole, crc32(b"~" + term[:STEM].encode())) if len(term) > STEM else (whole,)
