"""A small reader of knet's own: which sentence answers, and whether any does, as linear scores of recorded evidence.

Its weights are learnt by ``python -m benchmarks.answers --learn`` from questions of other articles than are tested.
Two judgements make the confidence: that the passages are about what is asked (learnt where the passage that answers was
removed from the network), and that they say it (learnt where a passage on the very matter does not answer).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ..derivation import Confidence
from ..index.lexical import Statistics
from ..records import Passage
from .evidence import FOUND, RELATIVE, SENTENCE, Scored, distinct, found_features, scored_sentences

WEIGHTS = "selector.json"
ANSWERED = 0.5  # from this probability on, an answer is given as such
MAYBE = (
    0.05  # from this on, as one that may be it: 95 % of the answerable questions learnt from; below, nothing is quoted
)
SAID = 2.0  # weight of the second judgement beside the first; set by hand
ENOUGH = 5  # other texts beside the first passage, with which scores can be compared
LARGEST = 30.0  # log-odds: e^30 is finite
DECIMALS = 3  # of a probability: machines add in different orders


@cache
def weights() -> dict[str, list[float]]:
    """Return the shipped weights: ``sentence``, and ``about`` and ``said`` with their constant last.

    ``usual`` is the mean of the evidence for questions that are answered.
    """
    found: dict[str, list[float]] = json.loads(files(__package__).joinpath(WEIGHTS).read_text(encoding="utf-8"))
    assert len(found["sentence"]) == len(SENTENCE)
    assert len(found["about"]) == len(found["said"]) == len(FOUND) + 1
    return found


class Reading(NamedTuple):
    """Judgement of some passages: their quotable sentences with scores, and the probability of an answer."""

    chosen: list[tuple[float, Scored]]
    confidence: Confidence


def read(question: str, passages: Sequence[Passage], statistics: Statistics) -> Reading:
    """Judge every quotable sentence of some passages, and all of them together."""
    given = weights()["sentence"]
    found = scored_sentences(question, passages, statistics)
    chosen = [(sum(map(float.__mul__, given, each.features)), each) for each in found]
    if not chosen:
        return Reading([], graded(0.0))
    row = found_features(question, passages, statistics, found, [score for score, _ in chosen])
    row = _as_usual(row, passages)
    about, said = (_linear(weights()[name], row) for name in ("about", "said"))
    return Reading(chosen, graded(probability_of(about, said)))


def _as_usual(row: Sequence[float], passages: Sequence[Passage]) -> list[float]:
    """Return the evidence, its `RELATIVE` part as it usually is where there are too few texts to compare with.

    It is usual only as far as the passages have the question's words.
    """
    told = min(1.0, len(distinct(passages)) / ENOUGH)
    usual, covered = weights()["usual"], row[FOUND.index("context")]
    return [
        told * value + (1 - told) * covered * mean if name in RELATIVE else value
        for name, value, mean in zip(FOUND, row, usual, strict=True)
    ]


def probability_of(about: float, said: float) -> float:
    """Return the probability of an answer from the log-odds of the two judgements."""
    odds = about + SAID * said
    return 1 / (1 + math.exp(-max(-LARGEST, min(odds, LARGEST))))


def graded(probability: float) -> Confidence:
    """Return a probability with its grade."""
    probability = round(probability, DECIMALS)
    grade = "answered" if probability >= ANSWERED else "may be answered" if probability >= MAYBE else "not found"
    return Confidence(grade=grade, probability=probability)


def _linear(given: Sequence[float], row: Sequence[float]) -> float:
    return sum(map(float.__mul__, given, row)) + given[-1]
