"""Reliability and usefulness over time: one point for each batch on chain or local outcome, with its uncertainty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..chain.batches import Batch
from ..chain.reliability import EPOCH_SECONDS, KEPT
from ..records import Record, Reputation
from .reliability import faded


class Point(Record, frozen=True):
    """A node's posterior mean and deviation from ``time`` (unix seconds) on.

    For reliability on chain, the update came with batch ``number`` of ``rater``, in ``transaction``. That batch added
    ``positive`` and ``negative`` weight (in full ratings) from ``ratings`` ratings. These fields are empty for local
    outcomes of this client.
    """

    time: int
    mean: float
    deviation: float
    positive: float = 0.0
    negative: float = 0.0
    ratings: int = 0
    rater: str = ""
    number: int = 0
    transaction: str = ""


class History(Record, frozen=True):
    """One node's reliability on chain, and its usefulness to this client, oldest first."""

    node: int
    title: str
    reliability: list[Point]
    usefulness: list[Point]


def on_chain(batches: Iterable[Batch]) -> dict[int, list[Point]]:
    """Return every node's reliability after each batch, oldest first.

    The rule is that of the contract `Reliability`: weights fade with each epoch. ``batches`` must not contain slashed
    batches, which the contract has reversed.
    """
    sums: dict[int, tuple[Reputation, int]] = {}
    found: defaultdict[int, list[Point]] = defaultdict(list)
    for batch in sorted(batches, key=lambda each: (each.submitted_at, each.block)):
        epoch = batch.submitted_at // EPOCH_SECONDS
        for delta in batch.deltas:
            before, since = sums.get(delta.node, (Reputation(), epoch))
            kept = faded(before, KEPT ** (epoch - since))
            after = Reputation(
                positive=kept.positive + delta.positive / 100,
                negative=kept.negative + delta.negative / 100,
                count=kept.count + delta.count,
            )
            sums[delta.node] = after, epoch
            found[delta.node].append(
                Point(
                    time=batch.submitted_at,
                    mean=after.mean,
                    deviation=after.deviation,
                    positive=delta.positive / 100,
                    negative=delta.negative / 100,
                    ratings=delta.count,
                    rater=batch.rater,
                    number=batch.number,
                    transaction=batch.transaction,
                )
            )
    return dict(found)


def points_of(known: Sequence[tuple[int, Reputation]]) -> list[Point]:
    """Return the posterior after each local outcome, at most one point a second (the last)."""
    last = dict(known)
    return [Point(time=time, mean=after.mean, deviation=after.deviation) for time, after in last.items()]
