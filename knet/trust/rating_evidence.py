"""Evidence about nodes in verified ratings, bounded by how far one client may believe their raters.

Three kinds of raters are told apart (docs/decisions/0056-ratings-count-once-verified.md):

* the client itself, whose ratings count in full;
* accounts that walks from the client's ratings or from the profile's starting raters reach (`knet.trust.meritrank`).
  Each counts for at most `TRUSTED_CAP` ratings on one node, and what only one group of raters says is left out;
* all raters together. Their ratings can raise a node by `PUBLIC_CAP` ratings at most and never lower one below a node
  that has no ratings: any loss could be shed by registering again, and any rank taken this way could be bought.
  One rater's weight on one node is limited to `NODE_SHARE` of all it ever spent, and a node's credit is its share of
  all that raters spent; both are linear in the bond, so that splitting a bond gains nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from ..chain.batches import Batch
from ..chain.reliability import EPOCH_SECONDS, KEPT
from ..records import Reputation
from .reliability import faded, pooled

PUBLIC_CAP = 1.0  # ratings that all raters' ratings add at most; benchmarks/manipulation measures what it is worth
NODE_SHARE = 0.1  # of a rater's spending: an honest rater meets at least ten nodes, an attacker wants one
TRUSTED_CAP = 3.0  # ratings: three of a trusted rater say as much as its thousand
OWN_HALVES = 5.0  # ratings by the client that halve what all others add; four times as many leave 6 %

Sums = dict[str, dict[int, Reputation]]  # by rater and node


def sum_ratings(batches: Iterable[Batch], now: int) -> Sums:
    """Sum verified batches by rater and node as of ``now`` (unix seconds), faded by the epoch as on chain."""
    sums: defaultdict[str, dict[int, Reputation]] = defaultdict(dict)
    for batch in batches:
        left = KEPT ** max(now // EPOCH_SECONDS - batch.submitted_at // EPOCH_SECONDS, 0)
        own = sums[batch.rater]
        for delta in batch.deltas:
            rated = Reputation(
                positive=left * delta.positive / 100, negative=left * delta.negative / 100, count=delta.count
            )
            own[delta.node] = pooled(own[delta.node], rated) if delta.node in own else rated
    return dict(sums)


def public_credit(sums: Mapping[str, Mapping[int, Reputation]]) -> dict[int, float]:
    """Return the ratings (0 to `PUBLIC_CAP`) that all raters' ratings together add to each node they favour."""
    spent = {rater: sum(_weight(each) for each in own.values()) for rater, own in sums.items()}
    everything = NODE_SHARE * sum(spent.values())
    net: defaultdict[int, float] = defaultdict(float)
    praise: defaultdict[int, float] = defaultdict(float)
    for rater, own in sums.items():
        limit = NODE_SHARE * spent[rater]
        for node, rated in own.items():
            net[node] += max(min(rated.positive - rated.negative, limit), -limit)
            praise[node] += rated.positive
    return {
        node: min(PUBLIC_CAP * min(value / everything, 1.0), praise[node]) for node, value in net.items() if value > 0
    }


def trusted_evidence(
    sums: Mapping[str, Mapping[int, Reputation]],
    weight: Callable[[str], float],
    group_of: Callable[[str], str],
    counts_alone: Callable[[str], bool],
) -> dict[int, Reputation]:
    """Return the evidence on each node from raters that the client trusts.

    ``weight`` (0 to 1) says how far a rater is trusted, ``group_of`` names the account that its trust depends on,
    itself where it is independent. On either side the largest group is left out, unless ``counts_alone`` says
    otherwise.
    """
    groups: defaultdict[int, defaultdict[str, Reputation]] = defaultdict(lambda: defaultdict(Reputation))
    alone: defaultdict[int, Reputation] = defaultdict(Reputation)
    for rater, own in sums.items():
        if (share := weight(rater)) <= 0:
            continue
        for node, rated in own.items():
            capped = faded(rated, share * min(TRUSTED_CAP / max(_weight(rated), 1e-9), 1.0))
            if counts_alone(rater):
                alone[node] = pooled(alone[node], capped)
            else:
                group = groups[node][group_of(rater)]
                groups[node][group_of(rater)] = pooled(group, capped)
    return {
        node: pooled(alone[node], _corroborated(list(groups[node].values())))
        for node in [*alone, *(each for each in groups if each not in alone)]
    }


def _corroborated(groups: list[Reputation]) -> Reputation:
    """Return the sum of all groups but the largest of each side."""
    return Reputation(
        positive=_without_largest([group.positive for group in groups]),
        negative=_without_largest([group.negative for group in groups]),
        count=sum(group.count for group in groups),
    )


def _without_largest(values: list[float]) -> float:
    return sum(values) - max(values, default=0.0)


def _weight(rated: Reputation) -> float:
    return rated.positive + rated.negative
