"""Personal trust that a thousand identities cannot fake: MeritRank (arXiv 2207.09950) over who rated whom.

Random walks start from me and follow positive ratings. A walk stops with probability `alpha` at every hop (transitivity
decay: what is far from me counts less). A node's score is its share of all visits; where one other node lies on more
than a share `tau` of the walks that reach it, the score is cut by `beta` (connectivity decay: whoever hides behind one
introducer, as made-up identities do behind who made them, counts for little).

Walks are kept. A new rating redoes only those that pass its rater, from that point on (Web3Recommend).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..records import Record

WALKS = 2_000  # a share of one in ten is known to within 1.3 %
ALPHA = 0.15  # a walk goes 6 hops on average: beyond that nobody knows whom they trust
BETA = 0.9  # bounds what 50 identities gain at alpha 0.01 to 0.11; without it 1.55 (MeritRank, figure 4)
TAU = 0.9  # one node on nearly every walk is an introducer; honest nodes are reached by several ways
MAX_HOPS = 100  # at alpha 0.01 a third of the walks would go further; their tails say nothing new
END = -1

Walks = npt.NDArray[np.int64]


class Trust(Record, frozen=True):
    """How far I trust a node: ``score`` 0..1, ``reached`` the share of my walks that get to it.

    ``path`` is the commonest way there, from me to it; ``introducer`` the node that nearly all ways lead through.
    """

    node: str
    score: float
    reached: float
    path: tuple[str, ...] = ()
    introducer: str | None = None

    def __str__(self) -> str:
        if not self.path:
            return f"nobody you trust has rated {self.node}."
        because = f"you trust {', who trusts '.join(self.path[1:])} (score {self.score:.3f})"
        if self.introducer is None:
            return f"{because}, and other ways lead there too."
        return f"{because}; it counts for little, because all you hear of it comes through {self.introducer}."


class TrustWalks:
    """Walks from ``me`` over a graph of ratings, kept up to date. Same seed and calls, same scores."""

    def __init__(
        self,
        me: str,
        ratings: Iterable[tuple[str, str, float]] = (),
        *,
        walks: int = WALKS,
        alpha: float = ALPHA,
        beta: float = BETA,
        tau: float = TAU,
        seed: int = 0,
    ) -> None:
        """``ratings`` are (rater, rated, value); values of one pair add up, and only a positive sum is followed."""
        self.me = me
        self.alpha, self.beta, self.tau = alpha, beta, tau
        self.redone = 0  # walks the last `rate` had to redo
        self._chance = np.random.default_rng(seed)
        self._ids = {me: 0}
        self._names = [me]
        self._out: dict[int, dict[int, float]] = {}
        self._walks: Walks = np.full((walks, MAX_HOPS + 1), END, np.int64)
        self._walks[:, 0] = 0
        for rater, rated, value in ratings:
            self._add(rater, rated, value)
        self._extend(np.arange(walks), np.zeros(walks, np.int64))

    def rate(self, rater: str, rated: str, value: float) -> None:
        """Add one rating, and redo the walks that pass ``rater`` from their first visit to it."""
        at = self._add(rater, rated, value)
        passes = self._walks == at
        rows = np.flatnonzero(passes.any(axis=1))
        self.redone = len(rows)
        self._extend(rows, passes[rows].argmax(axis=1))

    def scores(self) -> dict[str, float]:
        """MeritRank of every node that walks reach, without me; before decay they sum to 1."""
        visits = np.bincount(self._walks[self._walks > 0], minlength=len(self._names)).astype(float)
        if not visits.sum():
            return {}
        final = visits / visits.sum() * np.where(self._introducers() >= 0, 1 - self.beta, 1.0)
        return {self._names[node]: float(final[node]) for node in np.flatnonzero(visits)}

    def explain(self, node: str) -> Trust:
        """Why I trust a node as far as I do; its text says it in a sentence."""
        at = self._ids.get(node, END)
        rows = np.flatnonzero((self._walks == at).any(axis=1)) if at > 0 else np.zeros(0, np.int64)
        if not len(rows):
            return Trust(node=node, score=0.0, reached=0.0)
        ways: dict[tuple[int, ...], int] = {}
        for walk in self._walks[rows].tolist():
            way = _without_loops(walk[: walk.index(at) + 1])
            ways[way] = ways.get(way, 0) + 1
        best = max(ways, key=lambda way: (ways[way], -len(way), way))
        introducer = int(self._introducers()[at])
        return Trust(
            node=node,
            score=self.scores()[node],
            reached=len(rows) / len(self._walks),
            path=tuple(self._names[step] for step in best),
            introducer=self._names[introducer] if introducer >= 0 else None,
        )

    def _add(self, rater: str, rated: str, value: float) -> int:
        source, target = self._id(rater), self._id(rated)
        if source != target:  # nobody vouches for themselves
            edges = self._out.setdefault(source, {})
            edges[target] = edges.get(target, 0.0) + value
        return source

    def _id(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = len(self._names)
            self._names.append(name)
        return self._ids[name]

    def _extend(self, rows: Walks, at: Walks) -> None:
        """Continue walks ``rows`` from column ``at``, each to its own end."""
        for hop in range(int(at.min(initial=MAX_HOPS)), MAX_HOPS):
            moving = rows[at <= hop]
            self._walks[moving, hop + 1] = self._step(self._walks[moving, hop])  # what has ended stays ended

    def _step(self, here: Walks) -> Walks:
        """Where each walk goes next; END where it stops."""
        going = self._chance.random(len(here)) >= self.alpha
        there = np.full(len(here), END, np.int64)
        for node in np.unique(here[going & (here != END)]).tolist():
            edges = {target: value for target, value in self._out.get(node, {}).items() if value > 0}
            if edges:
                rows = np.flatnonzero(going & (here == node))
                weights = np.array(list(edges.values()))
                there[rows] = self._chance.choice(list(edges), len(rows), p=weights / weights.sum())
        return there

    def _introducers(self) -> Walks:
        """For each node, the other node (not me) that lies on more than ``tau`` of the walks reaching it; or END."""
        count = len(self._names)
        reached = np.zeros(count)
        keys = []  # u * count + v for every walk on which u comes before v is first reached
        for walk in self._walks:
            seen = np.array(list(dict.fromkeys(walk[walk > 0].tolist())), np.int64)
            reached[seen] += 1
            keys.append((seen[:, None] * count + seen)[np.triu_indices(len(seen), 1)])
        pairs, walks = np.unique(np.concatenate(keys), return_counts=True)
        before, node = np.divmod(pairs, count)
        nearly_all = walks > self.tau * reached[node]
        introducers: Walks = np.full(count, END, np.int64)
        nearest_last = np.argsort(reached[before[nearly_all]], kind="stable")  # of several, name the one nearest to me
        introducers[node[nearly_all][nearest_last]] = before[nearly_all][nearest_last]
        return introducers


def _without_loops(way: Iterable[int]) -> tuple[int, ...]:
    steps: list[int] = []
    for step in way:
        steps = steps[: steps.index(step)] if step in steps else steps
        steps.append(step)
    return tuple(steps)
