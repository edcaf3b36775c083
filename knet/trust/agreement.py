"""Who is right, without anybody who knows: cross-source agreement by iterated weighted majority (RA-RAG, 2410.22954).

What counts as one source saying the same as another:

* One source has one voice on one matter, however many copies it sends.
* Texts that share most of their words are versions of one text. Where versions differ in what they would be quoted
  with, they contradict each other; those that agree word for word back each other. A version that has fewer words of
  the question is about something else (the same form, filled in for another name) and contradicts nothing.
* Copies alone prove nothing. Only where at least two sources agree against a third is anything learnt, so a source that
  is alone with what it says, or that everybody repeats, is neither raised nor lowered.

The heavier side wins, where a source weighs what is known of it (`reliability.weight`). Whom the outcome makes more
reliable weighs more the next time; on a fixed set of questions `run_to_convergence` repeats that until it stands still.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..index.lexical import tokens
from ..index.sentences import sentences
from ..records import Record, Reputation
from .reliability import observed, open_weight

SAME_TEXT = 0.5  # Jaccard similarity of words: versions with every answer changed keep more, other texts a quarter
QUOTED = 0.6  # as an extractive answer quotes: sentences that cover this share of what the best one covers
MAJORITY = 0.5
ROUNDS = 20
STILL = 1e-3  # change of a mean at which `run_to_convergence` stops

Floats = npt.NDArray[np.float64]


class Claim(Record, frozen=True):
    """What one source says on a question: the words of a passage, and those it would be quoted with."""

    source: int
    words: frozenset[str]
    quoted: frozenset[str]
    covered: int  # words of the question that the passage has


def claim(source: int, question: str, text: str) -> Claim:
    """A passage as evidence: its words, and the words of its sentences that answer the question."""
    asked = set(tokens(question))
    parts = [frozenset(tokens(text[span.start : span.end])) for span in sentences(text)]
    covers = [len(asked & part) for part in parts]
    best = max(covers, default=0)
    kept = [part for part, cover in zip(parts, covers, strict=True) if cover >= max(QUOTED * best, 1)]
    words = frozenset[str]().union(*parts)
    return Claim(
        source=source, words=words, quoted=frozenset[str]().union(*kept) if kept else words, covered=len(asked & words)
    )


def versions(texts: Sequence[frozenset[str]]) -> list[int]:
    """For each set of words the index of the first that it is a version of (single linkage in order)."""
    if not texts:
        return []
    near = jaccard(texts) >= SAME_TEXT
    label = list(range(len(texts)))
    for at in range(len(texts)):
        first = int(near[at].argmax())
        label[at] = label[first] if first < at else at
    return label


def jaccard(texts: Sequence[frozenset[str]]) -> Floats:
    """``(n, n)`` similarities of sets of words, by one product of incidence matrices."""
    place = {word: at for at, word in enumerate(dict.fromkeys(word for text in texts for word in text))}
    holds = np.zeros((len(texts), len(place)), np.float32)
    for row, text in enumerate(texts):
        holds[row, [place[word] for word in text]] = 1
    shared = (holds @ holds.T).astype(np.float64)
    sizes = np.diag(shared)
    union = sizes[:, None] + sizes - shared
    return np.divide(shared, union, out=np.ones_like(shared), where=union > 0)


def outcomes(claims: Sequence[Claim], known: Mapping[int, Reputation]) -> dict[int, float]:
    """-1..1 for every source that a majority backs or contradicts on one question; no entry where nothing is learnt."""
    seen: defaultdict[int, list[float]] = defaultdict(list)
    for sides in _contests(claims):
        weights = [sum(open_weight(known.get(source, Reputation())) for source in side) for side in sides]
        order = sorted(range(len(sides)), key=lambda at: -weights[at])
        winner = sides[order[0]]
        if len(winner) > 1 and weights[order[0]] > weights[order[1]]:
            for side in sides:
                for source in side:
                    seen[source].append(1.0 if side is winner else -1.0)
    return {source: sum(found) / len(found) for source, found in seen.items()}


def _contests(claims: Sequence[Claim]) -> list[list[set[int]]]:
    """For every text that sources hold in different versions: the sources of each version, one vote each."""
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
    """0..1 for each passage: how surely better backed versions of the same text say something else.

    ``asked`` are the question's words; ``weights`` is what each source weighs (`reliability.weight`: nothing if nobody
    knows it); copies count once. It is one minus the odds of a passage's backers against those of the best backed
    version, of versions with at least as many of the question's words.
    """
    backing = backed(texts, sources, weights)
    labels, covered = np.array(versions(texts)), np.array([len(asked & text) for text in texts])
    rivals = (labels[:, None] == labels) & (covered >= covered[:, None])
    best = np.where(rivals, backing, 0.0).max(axis=1)
    doubt: Floats = 1 - np.exp(backing - best)
    return doubt


def outlier_penalty(
    relevance: Floats,
    answers: npt.NDArray[np.bool_],
    texts: Sequence[frozenset[str]],
    sources: Sequence[int],
    weights: Mapping[int, float],
) -> Floats:
    """0..1 for each passage that outranks what most of the reliable sources say: the share of them it lacks.

    What most say is a text that answers the question (``answers``) and that more than half of all sources, by number
    and by weight, back. Where there is none, as among sources that hold different things, all are 0: a lone voice is
    doubted only where the others had the same to say, and it claims to know better, as an answer planted for the very
    question does, however often its source repeats it.
    """
    total = sum(weights.get(source, 0.0) for source in set(sources))
    share = backed(texts, sources, weights) / total if total > 0 else np.zeros(len(texts))
    voices = backed(texts, sources, dict.fromkeys(sources, 1.0)) / len(set(sources))
    most = answers & (share > MAJORITY) & (voices > MAJORITY)
    if not most.any():
        return np.zeros(len(texts))
    leader = int(np.where(most, relevance, -np.inf).argmax())
    return np.where(relevance > relevance[leader], np.clip(1 - share / share[leader], 0, 1), 0.0)


def backed(texts: Sequence[frozenset[str]], sources: Sequence[int], weights: Mapping[int, float]) -> Floats:
    """The weight of all sources that hold each text, each counted once."""
    holders: defaultdict[frozenset[str], set[int]] = defaultdict(set)
    for text, source in zip(texts, sources, strict=True):
        holders[text].add(source)
    return np.array([sum(weights.get(source, 0.0) for source in holders[text]) for text in texts])


def run_to_convergence(questions: Sequence[Sequence[Claim]]) -> dict[int, Reputation]:
    """Reliability of every source from many questions without labels: vote, weigh by the outcome, vote again."""
    known: dict[int, Reputation] = {}
    for _ in range(ROUNDS):
        found: dict[int, Reputation] = {}
        for claims in questions:
            for source, outcome in outcomes(claims, known).items():
                found[source] = observed(found.get(source, Reputation()), outcome)
        moved = max((abs(found[s].mean - known.get(s, Reputation()).mean) for s in found), default=0.0)
        known = found
        if moved < STILL:
            break
    return known
