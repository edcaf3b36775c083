"""Reliability without labels: cross-source agreement by iterated weighted majority (RA-RAG, arXiv 2410.22954).

Definition of agreement between two sources:

* A source has one vote on one text, regardless of how many copies it sends.
* Texts that share most of their words are versions of one text. Versions that differ in their quotable sentences
  contradict each other; versions with equal sentences support each other. A version with fewer words of the question
  is about another subject (the same form, filled in for another name) and contradicts nothing.
* Copies alone are not evidence. An outcome is recorded only where at least two sources agree against a third. A source
  whose claim is unique, or repeated by all sources, is neither raised nor lowered.

The side with the larger total weight wins; a source's weight is `reliability.learning_weight`. The outcome changes the
weights of the next vote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..index.analyser import split_words
from ..index.sentences import sentences
from ..records import Record, Reputation
from .reliability import learning_weight

SAME_TEXT = 0.5  # Jaccard similarity of words: versions with every answer changed keep more, other texts a quarter
QUOTED = 0.6  # sentences that cover this share of the best one's question words, as in an extractive answer
MAJORITY = 0.5


Floats = npt.NDArray[np.float64]


class Claim(Record, frozen=True):
    """One source's passage for a question: all its words, and the words of its quotable sentences."""

    source: int
    words: frozenset[str]
    quoted: frozenset[str]
    covered: int  # words of the question in the passage


def claim(source: int, question: str, text: str) -> Claim:
    """Return a passage as a claim: its words, and the words of its sentences that answer the question."""
    asked = set(split_words(question))
    parts = [frozenset(split_words(text[span.start : span.end])) for span in sentences(text)]
    covers = [len(asked & part) for part in parts]
    best = max(covers, default=0)
    kept = [part for part, cover in zip(parts, covers, strict=True) if cover >= max(QUOTED * best, 1)]
    words = frozenset[str]().union(*parts)
    return Claim(
        source=source, words=words, quoted=frozenset[str]().union(*kept) if kept else words, covered=len(asked & words)
    )


def versions(texts: Sequence[frozenset[str]]) -> list[int]:
    """Return for each set of words the index of the first set that it is a version of (single linkage, in order)."""
    if not texts:
        return []
    near = jaccard(texts) >= SAME_TEXT
    label = list(range(len(texts)))
    for at in range(len(texts)):
        first = int(near[at].argmax())
        label[at] = label[first] if first < at else at
    return label


def jaccard(texts: Sequence[frozenset[str]]) -> Floats:
    """Return the ``(n, n)`` Jaccard similarities of sets of words, by one product of incidence matrices."""
    column = {word: at for at, word in enumerate(dict.fromkeys(word for text in texts for word in text))}
    incidence = np.zeros((len(texts), len(column)), np.float32)
    for row, text in enumerate(texts):
        incidence[row, [column[word] for word in text]] = 1
    shared = (incidence @ incidence.T).astype(np.float64)
    sizes = np.diag(shared)
    union = sizes[:, None] + sizes - shared
    return np.divide(shared, union, out=np.ones_like(shared), where=union > 0)


def outcomes(claims: Sequence[Claim], known: Mapping[int, Reputation]) -> dict[int, float]:
    """Return -1..1 for every source that a majority supports or contradicts on one question.

    Sources without evidence for or against them have no entry. ``known`` is each source's reliability so far.
    """
    seen: defaultdict[int, list[float]] = defaultdict(list)
    for sides in _contests(claims):
        weights = [sum(learning_weight(known.get(source, Reputation())) for source in side) for side in sides]
        order = sorted(range(len(sides)), key=lambda at: -weights[at])
        winner = sides[order[0]]
        if len(winner) > 1 and weights[order[0]] > weights[order[1]]:
            for side in sides:
                for source in side:
                    seen[source].append(1.0 if side is winner else -1.0)
    return {source: sum(found) / len(found) for source, found in seen.items()}


def _contests(claims: Sequence[Claim]) -> list[list[set[int]]]:
    """Return, for every text that sources hold in different versions, the sources of each version, one vote each."""
    labels = versions([claim.words for claim in claims])
    covers: dict[int, int] = {}
    for label, claim in zip(labels, claims, strict=True):
        covers[label] = max(covers.get(label, 0), claim.covered)
    texts: defaultdict[int, dict[frozenset[str], set[int]]] = defaultdict(dict)
    voted: set[tuple[int, int]] = set()
    for label, claim in zip(labels, claims, strict=True):
        if claim.covered == covers[label] and (label, claim.source) not in voted:
            voted.add((label, claim.source))
            texts[label].setdefault(claim.quoted, set()).add(claim.source)
    return [list(sides.values()) for sides in texts.values() if len(sides) > 1]


def conflict_penalty(
    asked: frozenset[str], texts: Sequence[frozenset[str]], sources: Sequence[int], weights: Mapping[int, float]
) -> Floats:
    """Return 0..1 for each passage: the confidence that better supported versions of the same text contradict it.

    ``asked`` are the question's words; ``weights`` the weight of each source (`reliability.weight`: 0 for an unknown
    source). Copies count once. The penalty is one minus the odds of a passage's supporters against those of the best
    supported version, among versions with at least as many of the question's words.
    """
    backing = supporting_weight(texts, sources, weights)
    labels, covered = np.array(versions(texts)), np.array([len(asked & text) for text in texts])
    rivals = (labels[:, None] == labels) & (covered >= covered[:, None])
    best = np.where(rivals, backing, 0.0).max(axis=1)
    penalty: Floats = 1 - np.exp(backing - best)
    return penalty


def outlier_penalty(
    relevance: Floats,
    answers: npt.NDArray[np.bool_],
    texts: Sequence[frozenset[str]],
    sources: Sequence[int],
    weights: Mapping[int, float],
) -> Floats:
    """Return 0..1 for each passage that outranks the majority's text: the share of that majority that it lacks.

    The majority's text answers the question (``answers``) and is supported by more than half of all sources, by number
    and by weight. Where there is none, as among sources that hold different texts, every penalty is 0. A passage of a
    single source is penalized only where the other sources agree and it outranks them: an answer planted for this
    question does so, regardless of how often its source repeats it.
    """
    total = sum(weights.get(source, 0.0) for source in set(sources))
    share = supporting_weight(texts, sources, weights) / total if total > 0 else np.zeros(len(texts))
    number = supporting_weight(texts, sources, dict.fromkeys(sources, 1.0)) / len(set(sources))
    majority = answers & (share > MAJORITY) & (number > MAJORITY)
    if not majority.any():
        return np.zeros(len(texts))
    leader = int(np.where(majority, relevance, -np.inf).argmax())
    return np.where(relevance > relevance[leader], np.clip(1 - share / share[leader], 0, 1), 0.0)


def supporting_weight(texts: Sequence[frozenset[str]], sources: Sequence[int], weights: Mapping[int, float]) -> Floats:
    """Return the total weight of the sources that hold each text, each source counted once."""
    holders: defaultdict[frozenset[str], set[int]] = defaultdict(set)
    for text, source in zip(texts, sources, strict=True):
        holders[text].add(source)
    return np.array([sum(weights.get(source, 0.0) for source in holders[text]) for text in texts])
