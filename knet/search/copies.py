"""Copies: texts of several nodes that say the same but for a few added words, and which of them is the first.

A node may add words of likely questions to a text of another node, and so outrank it. So among copies the one that was
published first is cited: the chain orders the heads that held them. What was added to a copy earns nothing.
A text with replaced words is another version, not a copy, since a replaced word may be what one of them gets wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..index.analyser import split_words, term
from ..index.sentences import sentences
from ..records import Reputation
from .verify_reply import KEPT_HITS, VerifiedHit

ADDED = 0.5  # words that a copy may add, as a share of what it copied
FEW = 24  # words that a copy may add in any case, the length of two questions
SHORT = 8  # words; a shorter text, such as a heading, may stand in another text by chance
REPLACED = 0.05  # share of a text's words that may be replaced in a copy
SAME_SHARE = 0.8  # share of a text that another must hold to count as the same
COLUMNS = 4096  # pairs of words counted at once
KEPT_COMPARISONS = 4  # the texts of a question are compared before and in merging
COPIED = "copied"  # the share of a copy's score that corrects it for what was added; only copies have it
NEVER = 1 << 62  # block of a text that is not known to be published

Words = tuple[str, ...]


def copies(hits: Sequence[VerifiedHit], known: Sequence[Reputation]) -> list[tuple[int, int]]:
    """Return pairs (i, j) of hits of two nodes where text i is a later copy of text j, those with the first j first.

    Of copies, nodes that were rated badly come last, then the block of the first publication counts, then the
    reliability of the node, as in ``known``.
    """
    rank = [
        (each.is_distrusted, NEVER if hit.block is None else hit.block, -each.mean)
        for hit, each in zip(hits, known, strict=True)
    ]
    found = [
        (i, j)
        for i, j in _similar(tuple(hit.words for hit in hits))
        if rank[j] < rank[i] and hits[i].node != hits[j].node and is_copy(hits[i].words, hits[j].words)
    ]
    return sorted(found, key=lambda pair: rank[pair[1]])


def contested(hits: Sequence[VerifiedHit]) -> frozenset[int]:
    """Return the indices of the hits that are copies of another node's, or copied by one."""
    pairs = [
        (i, j)
        for i, j in _similar(tuple(hit.words for hit in hits))
        if hits[i].node != hits[j].node and is_copy(hits[i].words, hits[j].words)
    ]
    return frozenset(index for pair in pairs for index in pair)


def prepare(hits: Sequence[VerifiedHit]) -> None:
    """Compute what `copies` compares, for a caller that has time to spare."""
    for hit in hits:
        _hashes(hit.words)


def is_copy(copy: Words, text: Words) -> bool:
    """Return True if a text holds another, or a continuous part of it, and few words beside it.

    In the text's pairs of neighbouring words, one missing pair is a place where the copy added words or put sentences
    in another order; two missing neighbours are a replaced word.
    """
    if copy == text:
        return True
    marks = bytes(map(_pairs(copy).__contains__, pairwise(text)))
    kept = marks.strip(b"\0")
    held = kept.count(1) + 1
    if held < min(SHORT, len(text)) or len(copy) > _longest_copy(held):
        return False
    added = len(copy) - len(kept) - 1
    edges = (marks[0] == 0) + (marks[-1] == 0)
    replaced = sum(len(run) > 1 for run in kept.split(b"\1"))
    if replaced == 0 and (edges == 0 or added <= 0):
        return True
    return added > 2 * (replaced + edges) and replaced <= REPLACED * len(text)


def is_same(hit: VerifiedHit, other: VerifiedHit, asked: frozenset[str]) -> bool:
    """Return True if one of two texts holds every sentence of the other, and little else or words of the question.

    ``asked`` are the terms of the question. Other words within or before a sentence, such as "not" or "it is a myth
    that", make another text.
    """
    shorter, longer = sorted((hit, other), key=lambda each: len(each.words))
    if shorter.words == longer.words:
        return True
    own, framed = _framed(shorter.words), _framed(longer.words)
    if len(own) < SAME_SHARE * len(framed) and len(longer.words) > _longest_copy(len(shorter.words)):
        return False
    if {term(word) for word in Counter(longer.words) - Counter(shorter.words)} <= asked:
        return own in framed or all(_framed(each) in framed for each in _sentences(shorter))
    return len(own) >= SAME_SHARE * len(framed) and _sentences(shorter) <= _sentences(longer)


def _sentences(hit: VerifiedHit) -> set[Words]:
    return {tuple(split_words(hit.hit.text[span.start : span.end])) for span in sentences(hit.hit.text)}


def _longest_copy(words: int) -> float:
    return words + (max(ADDED * words, FEW) if words >= SHORT else ADDED * words)


def _framed(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


@lru_cache(KEPT_COMPARISONS)
def _similar(texts: tuple[Words, ...]) -> tuple[tuple[int, int], ...]:
    """Return the pairs (i, j) of texts where text i shares as many pairs of words with text j as a copy does."""
    if not texts:
        return ()
    pairs = [_hashes(words) for words in texts]
    sizes = np.array([len(each) for each in pairs])
    every, rows = np.concatenate(pairs), np.repeat(np.arange(len(texts)), sizes)
    order = np.argsort(every, kind="stable")
    every, rows = every[order], rows[order]
    column = np.cumsum(np.concatenate(([False], every[1:] != every[:-1])))
    often = np.bincount(column) > 1
    column, rows = (np.cumsum(often) - 1)[column[often[column]]], rows[often[column]]
    shared, count = np.zeros((len(texts), len(texts)), np.float32), int(often.sum())
    for start in range(0, count, COLUMNS):
        inside = (column >= start) & (column < start + COLUMNS)
        incidence = np.zeros((len(texts), min(COLUMNS, count - start)), np.float32)
        incidence[rows[inside], column[inside] - start] = 1
        shared += incidence @ incidence.T
    np.fill_diagonal(shared, 0)
    least = np.minimum(sizes / (1 + ADDED), sizes - FEW)[:, None] - 2
    chance = np.minimum(SHORT - 2, sizes)[None, :]
    rows, columns = np.nonzero((shared >= np.maximum(least, chance)) & (shared > 0))
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))


@lru_cache(KEPT_HITS)
def _pairs(words: Words) -> frozenset[tuple[str, ...]]:
    """Return the different pairs of neighbouring words, or a single word."""
    return frozenset(pairwise(words)) or frozenset((words,))


@lru_cache(KEPT_HITS)
def _hashes(words: Words) -> npt.NDArray[np.int64]:
    return np.array([hash(pair) for pair in _pairs(words)], np.int64)
