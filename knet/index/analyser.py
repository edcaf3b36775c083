"""Analyser: the words and index terms of a text in any script, equal at every node and client.

No step depends on a detected language, since a short question is often detected wrongly and would then miss its words.
The script of a word selects its stemmer; scripts without spaces between words are cut into overlapping n-grams. All
steps work character by character or word by word, so the work is linear in the text.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from threading import local

import Stemmer

ANALYSER = 2  # version of `tokens`, named in each card; raise it with every change to its results
_LOWER = bytes(
    byte if byte > 127 else ord(chr(byte).lower()) if chr(byte).isalnum() else ord(" ") for byte in range(256)
)
_FOREIGN = 1 / 8  # share of bytes beyond one for each character above which most words would need `_fold`
_PREFIX = 7  # letters that a term keeps of a stem: joins forms that an English stemmer leaves apart in German
_LONGEST = 32  # characters of a word that is stemmed; longer ones are kept as they are
_KEPT_TERMS = 1 << 16  # words whose terms are cached, 10 MB

_BIGRAMS = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
"""Han, kana and Hangul."""
_TRIGRAMS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"
"""Thai, Lao, Myanmar and Khmer, which write vowels as characters of their own."""
_UNSPACED = re.compile(f"[{_BIGRAMS}{_TRIGRAMS}]")
_RUNS = re.compile(f"([{_BIGRAMS}]++)|([{_TRIGRAMS}]++)|[^{_BIGRAMS}{_TRIGRAMS}]++")
_DIGIT = re.compile(r"\d")
_STEMMERS = (  # first and last code point of the scripts, and the Snowball algorithm of their words
    (0x0061, 0x024F, "english"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "russian"),
    (0x0530, 0x058F, "armenian"),
    (0x0600, 0x06FF, "arabic"),
    (0x0900, 0x097F, "hindi"),
    (0x0B80, 0x0BFF, "tamil"),
)
_CUT = ("english", "greek", "russian", "armenian")  # algorithms whose stems are cut to `_PREFIX`
_SPACES = "\u200b"  # invisible, between words of Khmer and Thai
_DROPPED = "\u00ad\u0640\u200c\u200d\u2060\ufeff"  # invisible, or elongation
_MARKS_DROPPED = ((0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670),
                  (0x06D6, 0x06ED), (0xFE00, 0xFE0F))  # fmt: skip
"""Accents, which queries often lack; vowel signs of Hebrew and Arabic, which most texts lack; variation selectors."""
_COMPOSED = ((0x0000, 0x03FF), (0x1E00, 0x1FFF))  # Latin and Greek, whose letters are taken without their accents


def tokens(text: str) -> list[str]:
    """Return the index terms of a text: its `split_words`, each as its stem."""
    return terms_of(split_words(text))


def terms_of(found: Iterable[str]) -> list[str]:
    """Return the index term of each word."""
    return [term(word) if len(word) <= _LONGEST else word for word in found]


def split_words(text: str) -> list[str]:
    """Return the words of a text, case folded, with their combining marks and without accents.

    A run of a script without spaces gives its overlapping bigrams or trigrams. Every passage of every reply is
    analysed, so mostly ASCII text is translated byte by byte, which is 2 to 3 times as fast.
    """
    if len(text.encode(errors="replace")) > (1 + _FOREIGN) * len(text):
        found = text.translate(_FOLDED).split()
    else:
        found = text.encode("ascii", "knet-fold").translate(_LOWER).decode().split()
    return found if text.isascii() or not _UNSPACED.search(text) else [part for word in found for part in _parts(word)]


def _parts(word: str) -> Iterator[str]:
    for run in _RUNS.finditer(word):
        size = 2 if run[1] else 3 if run[2] else 0
        part = run.group()
        if not size or len(part) <= size:
            yield part
        else:
            yield from (part[at : at + size] for at in range(len(part) - size + 1))


# --- characters --------------------------------------------------------------------------------------------------


class _Fold(dict[int, str]):
    """Translation table of `str.translate`, filled with each character at its first use."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(code)
        return folded


_FOLDED = _Fold()


def _folded(code: int) -> str:
    """Return a character in compatibility form, case folded; a space for one that ends a word."""
    character = chr(code)
    if character in _DROPPED or _within(code, _MARKS_DROPPED):
        return ""
    if character in _SPACES or unicodedata.category(character)[0] not in "LMN":
        return " "
    form = unicodedata.normalize("NFKD" if _within(code, _COMPOSED) else "NFKC", character).casefold()
    kept = (each for each in form if not _within(ord(each), _MARKS_DROPPED))
    return "".join("i" if each == "ı" else each if unicodedata.category(each)[0] in "LMN" else " " for each in kept)


def _within(code: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def _fold(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return error.object[error.start : error.end].translate(_FOLDED).encode(errors="replace"), error.end


codecs.register_error("knet-fold", _fold)


# --- stems -------------------------------------------------------------------------------------------------------

_thread = local()  # a stemmer is not thread safe


@lru_cache(_KEPT_TERMS)
def term(word: str) -> str:
    """Return the index term of one word: its stem by the stemmer of its script; a word with a digit as it is."""
    algorithm = next((name for first, last, name in _STEMMERS if first <= ord(word[0]) <= last), "")
    if not algorithm or _DIGIT.search(word):
        return word
    stem: str = _stemmer(algorithm).stemWord(word)
    return stem[:_PREFIX] if algorithm in _CUT else stem


def _stemmer(algorithm: str) -> Stemmer.Stemmer:
    known: dict[str, Stemmer.Stemmer] = _thread.__dict__
    if algorithm not in known:
        known[algorithm] = Stemmer.Stemmer(algorithm, 0)
    return known[algorithm]
