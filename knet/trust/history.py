"""How a node came to its standing: one point a batch on chain, or an outcome here, with the uncertainty after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..chain.batches import Batch
from ..chain.rating_contract import EPOCH_SECONDS, KEPT
from ..records import Record, Reputation
from .reliability import faded


class Point(Record, frozen=True):
    """What was known of a node from ``time`` (unix seconds) on.

    On chain it came with batch ``number`` of ``rater``, in ``transaction``, which added ``positive`` and ``negative``
    (verdicts) from ``ratings`` of them; these are empty for what this client found by itself.
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
    """Every node's reliability after each batch, oldest first, by the rule of `Reliability`: weights fade by the epoch.

    Batches that were taken back must be left out, as the contract took them out too.
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
    """What this client knew after each of its own outcomes, at most one point a second (the last)."""
    last = dict(known)
    return [Point(time=time, mean=after.mean, deviation=after.deviation) for time, after in last.items()]
