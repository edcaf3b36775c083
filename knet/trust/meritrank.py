"""Sybil-tolerant personal trust: MeritRank (arXiv 2207.09950) over the graph of ratings.

Random walks start from the user's account ``me`` and follow positive ratings. A walk stops with probability `alpha` at
every hop (transitivity decay: distant accounts count less). A node's score is its share of all visits. Where one other
node lies on more than a share `tau` of the walks that reach a node, `beta` reduces its score (connectivity decay:
sybils, which are all reached through their creator, count for little).

Walks are stored. A new rating redoes only the walks that pass its rater, from that point on (Web3Recommend).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..records import Record

WALKS = 2_000  # a share of one in ten is known to within 1.3 %
ALPHA = 0.15  # a walk has 6 hops on average: trust over more hops says little
BETA = 0.9  # bounds what 50 identities gain at alpha 0.01 to 0.11; without it 1.55 (MeritRank, figure 4)
TAU = 0.9  # a node on nearly every walk is an introducer; honest nodes are reached by several paths
MAX_HOPS = 100  # at alpha 0.01 a third of the walks would go further; their tails add nothing to the scores
END = -1

Walks = npt.NDArray[np.int64]


class Trust(Record, frozen=True):
    """Trust of ``me`` in a node: ``score`` 0..1, ``reached`` the share of the walks that reach it.

    ``path`` is the most frequent path from ``me`` to the node; ``introducer`` the node on nearly all paths.
    """

    node: str
    score: float
    reached: float
    path: tuple[str, ...] = ()
    introducer: str | None = None

    def __str__(self) -> str:
        if not self.path:
            return f"no account that you trust has rated {self.node}."
        chain = f"you trust {', who trusts '.join(self.path[1:])} (score {self.score:.3f})"
        if self.introducer is None:
            return f"{chain}, and other paths lead there too."
        return f"{chain}; the score is reduced, because nearly every path to it leads through {self.introducer}."


class TrustWalks:
    """Random walks from ``me`` over a graph of ratings, updated incrementally.

    The same seed and calls give the same scores.
    """

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
        """Start walks over ``ratings`` (rater, rated, value).

        Values of one pair add up, and walks follow only positive sums.
        """
        self.me = me
        self.alpha, self.beta, self.tau = alpha, beta, tau
        self._random = np.random.default_rng(seed)
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
        self._extend(rows, passes[rows].argmax(axis=1))

    def scores(self) -> dict[str, float]:
        """Return the MeritRank of every node that walks reach, without ``me``; before decay the scores sum to 1."""
        visits = np.bincount(self._walks[self._walks > 0], minlength=len(self._names)).astype(float)
        if not visits.sum():
            return {}
        final = visits / visits.sum() * np.where(self._introducers() >= 0, 1 - self.beta, 1.0)
        return {self._names[node]: float(final[node]) for node in np.flatnonzero(visits)}

    def introducers(self) -> dict[str, str]:
        """Return the introducer of each node that has one: the other node on nearly all walks that reach it."""
        found = self._introducers()
        return {self._names[node]: self._names[found[node]] for node in np.flatnonzero(found >= 0)}

    def explain(self, node: str) -> Trust:
        """Return the trust in a node with its most frequent path; ``str`` of it is an explanation in one sentence."""
        at = self._ids.get(node, END)
        rows = np.flatnonzero((self._walks == at).any(axis=1)) if at > 0 else np.zeros(0, np.int64)
        if not len(rows):
            return Trust(node=node, score=0.0, reached=0.0)
        paths: dict[tuple[int, ...], int] = {}
        for walk in self._walks[rows].tolist():
            path = _without_loops(walk[: walk.index(at) + 1])
            paths[path] = paths.get(path, 0) + 1
        best = max(paths, key=lambda path: (paths[path], -len(path), path))
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
        if source != target:  # a rating of the rater itself does not count
            edges = self._out.setdefault(source, {})
            edges[target] = edges.get(target, 0.0) + value
        return source

    def _id(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = len(self._names)
            self._names.append(name)
        return self._ids[name]

    def _extend(self, rows: Walks, at: Walks) -> None:
        """Continue each of the walks ``rows`` from its column in ``at`` to its end."""
        for hop in range(int(at.min(initial=MAX_HOPS)), MAX_HOPS):
            moving = rows[at <= hop]
            self._walks[moving, hop + 1] = self._step(self._walks[moving, hop])  # a finished walk stays finished

    def _step(self, here: Walks) -> Walks:
        """Return the next node of each walk; END where it stops."""
        continues = self._random.random(len(here)) >= self.alpha
        there = np.full(len(here), END, np.int64)
        for node in np.unique(here[continues & (here != END)]).tolist():
            edges = {target: value for target, value in self._out.get(node, {}).items() if value > 0}
            if edges:
                rows = np.flatnonzero(continues & (here == node))
                weights = np.array(list(edges.values()))
                there[rows] = self._random.choice(list(edges), len(rows), p=weights / weights.sum())
        return there

    def _introducers(self) -> Walks:
        """Return for each node the other node (not ``me``) on more than ``tau`` of the walks that reach it; or END."""
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
        nearest_last = np.argsort(reached[before[nearly_all]], kind="stable")  # of several, the one nearest to `me`
        introducers[node[nearly_all][nearest_last]] = before[nearly_all][nearest_last]
        return introducers


def _without_loops(path: Iterable[int]) -> tuple[int, ...]:
    steps: list[int] = []
    for step in path:
        steps = steps[: steps.index(step)] if step in steps else steps
        steps.append(step)
    return tuple(steps)
