"""Beliefs about sources as Beta posteriors, and their effect on routing and ranking.

There are two beliefs. *Usefulness*, the share of a source's passages that were used, steers node selection.
*Reliability*, the share of used passages that were right, steers ranking. Both start at Beta(1, 1), where they have no
effect: among unrated sources, relevance alone decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import log

import numpy as np
import numpy.typing as npt

from ..records import Record, Reputation

USEFULNESS_WEIGHT = 0.1  # in units of cosine: below the spread of relevance, so it decides between nodes on topic
RELIABILITY_WEIGHT = 0.25
GATE = 1.0  # z-score units below the best within which passages compete
SHIFT = 0.5  # z-score units for each factor e in the odds of being relevant to the question
FALLBACK_PROBABILITY = (
    0.1  # that the next passage answers as well: showing a passage that is right less often does harm
)
FLOOR = 6.0  # z-score units: below every passage that competes
EVIDENCE_CAP = 100.0  # outcomes: the deviation is then 0.05 at most, enough to tell good sources from bad
OPTIMISM = 1.0  # deviations
PRIOR = 0.1  # weight, in ratings, of the source's reliability against ratings of the passage itself
EXPLORE = 0.1  # share of questions that also go to a node which only its belief keeps out

Scores = npt.NDArray[np.float64]


class SourceBelief(Record, frozen=True):
    """Usefulness and reliability of one source, from this client's observations or from all ratings on chain."""

    usefulness: Reputation = Reputation()
    reliability: Reputation = Reputation()


def observed(known: Reputation, outcome: float, weight: float = 1.0) -> Reputation:
    """Return the posterior after one more outcome, -1 (wrong, useless) to 1; 0 counts half for either side.

    At most `EVIDENCE_CAP` outcomes count, so that a reliable source that turns malicious loses its reliability soon.
    """
    kept = faded(known, min((EVIDENCE_CAP - weight) / max(known.positive + known.negative, 1e-9), 1.0))
    return Reputation(
        positive=kept.positive + weight * (1 + outcome) / 2,
        negative=kept.negative + weight * (1 - outcome) / 2,
        count=known.count + 1,
    )


def faded(known: Reputation, factor: float) -> Reputation:
    """Return the belief with ``factor`` of its evidence: old evidence weighs less, and uncertainty returns."""
    return Reputation(positive=known.positive * factor, negative=known.negative * factor, count=known.count)


def pooled(*parts: Reputation) -> Reputation:
    """Return the sum of the evidence, such as all ratings on chain and the client's own observations."""
    return Reputation(
        positive=sum(part.positive for part in parts),
        negative=sum(part.negative for part in parts),
        count=sum(part.count for part in parts),
    )


def optimistic_reliability(source: Reputation, ratings: Reputation) -> float:
    """Return the upper confidence bound of the probability that a passage is right.

    It combines the source's reliability, one deviation up, with the user's own ``ratings`` of this passage. A passage
    is mostly right or mostly wrong, so one rating of it outweighs the source's reliability. Optimism keeps a source
    with a few bad ratings in the results, where it can be found right.
    """
    mean = min(source.mean + OPTIMISM * source.deviation, 1.0)
    return (PRIOR * mean + ratings.positive) / (PRIOR + ratings.positive + ratings.negative)


def passage_key(words: Sequence[str]) -> bytes:
    """Return the key of feedback on a passage: the digest of its tokens, independent of the source."""
    return hashlib.sha256(" ".join(words).encode()).digest()


def learning_weight(known: Reputation) -> float:
    """Return a source's weight in a vote that updates beliefs: -log of the probability that it is wrong.

    The weight of an unknown source is 0.69. Weights of sources that agree add up to -log of the probability that they
    are all wrong.
    """
    return -log(1 - known.mean)


def weight(known: Reputation) -> float:
    """Return a source's weight in a vote that changes the ranking: 0 for a source that is not known to be reliable."""
    return max(learning_weight(known) - log(2), 0.0)


def bonus(belief: SourceBelief, expected: float | None = None) -> float:
    """Return the addition to a node's routing score; 0 for an unknown node.

    ``expected`` is the node's predicted usefulness for this question (-1 to 1), which replaces the overall one.
    """
    use = belief.usefulness.mean - 0.5 if expected is None else expected / 2
    return USEFULNESS_WEIGHT * use + RELIABILITY_WEIGHT * (belief.reliability.mean - 0.5)


def with_exploration(order: Sequence[int], relevant: Sequence[int], asked: int, question: str) -> list[int]:
    """Return ``order`` (nodes, best first), for a share of questions with another node in the first ``asked`` places.

    That node would be selected by relevance (``relevant``, best first), and only its belief keeps it out: a new node
    beside known ones, or a node that was rated badly, perhaps wrongly. The draw depends only on the question, so that
    the same question always goes to the same nodes. Reliable-dRAG never asks a source again after its score fell too
    low.
    """
    first = list(order[:asked])
    kept_out = [node for node in relevant[:asked] if node not in first]
    draw = int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big") / 2**64
    if not kept_out or draw >= EXPLORE:
        return list(order)
    chosen = kept_out[int(draw / EXPLORE * len(kept_out))]
    rest = [node for node in order if node != chosen]
    return [*rest[: asked - 1], chosen, *rest[asked - 1 :]]


def reliability_gate(relevance: Scores, reliability: Scores) -> Scores:
    """Return the relevance (z-scores) of passages, shifted by the probability that they are right (0..1).

    The value of a shown passage is the probability that it is relevant, times the surplus of its probability to be
    right over that of the passage in its place otherwise (`FALLBACK_PROBABILITY`). The shift is the log of that surplus
    relative to an unknown source's, in units in which the log odds of being relevant are the relevance. A negative
    shift always counts; without a surplus a passage sinks below all others. A positive shift counts in full for the
    most relevant passage and not at all for passages `GATE` below it, so that reliability never lifts an irrelevant
    text.
    """
    unknown = optimistic_reliability(Reputation(), Reputation())
    surplus = (reliability - FALLBACK_PROBABILITY) / (unknown - FALLBACK_PROBABILITY)
    shift = SHIFT * np.log(surplus, out=np.full_like(surplus, -FLOOR / SHIFT), where=surplus > 0)
    competes = np.clip(1 - (relevance.max(initial=-np.inf) - relevance) / GATE, 0, 1)
    return relevance + np.where(shift < 0, shift, shift * competes)
