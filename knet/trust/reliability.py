"""What is known of a source, as Beta posteriors, and what follows from it.

Two things are kept apart. *Usefulness*, how often what a source sent was used, steers whom to ask. *Reliability*, how
often what was used was right, decides what is believed. Both begin at "nobody knows" (Beta(1, 1)), where they change
nothing: among sources that nobody rated, relevance alone decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

from ..records import Record, Reputation

USEFULNESS_WEIGHT = 0.1  # in units of cosine: under the spread of relevance, so it decides between nodes on topic
RELIABILITY_WEIGHT = 0.25
GATE = 1.0  # z-score units below the best within which passages compete
SHIFT = 0.5  # z-score units for each factor e: what such a factor in the odds of being about the question is worth
FALLBACK_PROBABILITY = (
    0.1  # chance that what comes next answers as well: whoever is less likely right does harm where it is shown
)
FLOOR = 6.0  # z-score units: under all that competes
EVIDENCE_CAP = 100.0  # outcomes: the deviation is then 0.05 at most, enough to tell good sources from bad
OPTIMISM = 1.0  # deviations
PRIOR = 0.1  # verdicts that knowing the source is worth
EXPLORE = 0.1  # share of questions on which a node that standing alone keeps out is asked all the same

Scores = npt.NDArray[np.float64]


class SourceBelief(Record, frozen=True):
    """One source as far as it is known: here, by this client, or on chain by everybody."""

    usefulness: Reputation = Reputation()
    reliability: Reputation = Reputation()


def observed(known: Reputation, outcome: float, weight: float = 1.0) -> Reputation:
    """The posterior after one more outcome, -1 (wrong, useless) to 1; 0 counts half for either side.

    No more than `EVIDENCE_CAP` outcomes count, so that whoever earned a name and then turns loses it soon.
    """
    kept = faded(known, min((EVIDENCE_CAP - weight) / max(known.positive + known.negative, 1e-9), 1.0))
    return Reputation(
        positive=kept.positive + weight * (1 + outcome) / 2,
        negative=kept.negative + weight * (1 - outcome) / 2,
        count=known.count + 1,
    )


def faded(known: Reputation, factor: float) -> Reputation:
    """The same belief on ``factor`` of the evidence: what is long ago weighs less, and uncertainty returns."""
    return Reputation(positive=known.positive * factor, negative=known.negative * factor, count=known.count)


def pooled(*parts: Reputation) -> Reputation:
    """All evidence together, such as everybody's on chain and one's own."""
    return Reputation(
        positive=sum(part.positive for part in parts),
        negative=sum(part.negative for part in parts),
        count=sum(part.count for part in parts),
    )


def optimistic_reliability(source: Reputation, verdicts: Reputation) -> float:
    """How likely a passage is right at best: what is known of its source, one deviation up, and one's own verdicts on
    the very passage.

    A passage is mostly right or mostly wrong, so that one verdict on it says more than all that its source did.
    Optimism keeps a source that was rated badly a few times in sight, where it can be found right.
    """
    mean = min(source.mean + OPTIMISM * source.deviation, 1.0)
    return (PRIOR * mean + verdicts.positive) / (PRIOR + verdicts.positive + verdicts.negative)


def passage_key(words: Sequence[str]) -> bytes:
    """What verdicts on a passage are kept under: the digest of its tokens, whoever says them."""
    return hashlib.sha256(" ".join(words).encode()).digest()


def open_weight(known: Reputation) -> float:
    """Weight of a source in a vote that teaches: minus the log of the chance that it is wrong, 0.69 if unknown.

    Weights of sources that agree add up to the log of the chance that they are all wrong.
    """
    return -log(1 - known.mean)


def weight(known: Reputation) -> float:
    """The same weight where a vote decides what a user sees: whoever is not known to be reliable has none."""
    return max(open_weight(known) - log(2), 0.0)


def bonus(standing: SourceBelief, expected: float | None = None) -> float:
    """What standing adds to a node's promise when choosing whom to ask; 0 for a node that nobody knows.

    ``expected`` is how useful it should be for this very question (-1 to 1), where that is known better.
    """
    use = _centred(standing.usefulness) if expected is None else expected / 2
    return USEFULNESS_WEIGHT * use + RELIABILITY_WEIGHT * _centred(standing.reliability)


def _centred(known: Reputation) -> float:
    return known.mean - 0.5


def with_exploration(order: Sequence[int], relevant: Sequence[int], asked: int, question: str) -> list[int]:
    """``order`` (nodes, best first) with, now and then, one of the first ``asked`` places given to another node.

    Only to one that would be asked for its relevance (``relevant``, best first) and that its standing keeps out: a
    newcomer beside nodes with a name, or one that was rated badly, perhaps wrongly. Drawn from the question itself,
    so that the same question always asks the same nodes. Reliable-dRAG never asks a source again once it fell too low.
    """
    first = list(order[:asked])
    kept_out = [node for node in relevant[:asked] if node not in first]
    draw = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big") / 2**64
    if not kept_out or draw >= EXPLORE:
        return list(order)
    chosen = kept_out[int(draw / EXPLORE * len(kept_out))]
    rest = [node for node in order if node != chosen]
    return [*rest[: asked - 1], chosen, *rest[asked - 1 :]]


def reliability_gate(relevance: Scores, hopes: Scores) -> Scores:
    """Relevance (z-scores) of passages, shifted by how likely they are right (``hopes``, 0..1).

    Shown, a passage is worth its chance of being about the question times how much likelier it is right than what would
    come in its place (`FALLBACK_PROBABILITY`). The shift is the log of that surplus against an unknown source's, in
    units in which the log odds of being about the question are relevance. Distrust counts everywhere; without a surplus
    a passage sinks below all others. Trust counts as far as a passage competes: fully at the best, not at all `GATE`
    below it, so that no name lifts a text that is not about the question.
    """
    surplus = (hopes - FALLBACK_PROBABILITY) / (
        optimistic_reliability(Reputation(), Reputation()) - FALLBACK_PROBABILITY
    )
    shift = SHIFT * np.log(surplus, out=np.full_like(surplus, -FLOOR / SHIFT), where=surplus > 0)
    competes = np.clip(1 - (relevance.max(initial=-np.inf) - relevance) / GATE, 0, 1)
    return relevance + np.where(shift < 0, shift, shift * competes)
