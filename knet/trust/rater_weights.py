"""Reliability as one client sees it: everybody's ratings on chain, weighed by how far it trusts who gave them.

Trust in raters comes from `TrustWalks` over public events: whoever rated a node well trusts its owner, and an owner who
rates others passes that on. What those I trust say counts in full; what all strangers say together counts as
`STRANGERS` verdicts at most, however many they are and whatever they put at stake. Until I have rated somebody well
myself there is nobody to start from, and the chain's own sums are all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..chain.batches import Batch
from ..chain.rating_contract import EPOCH_SECONDS, KEPT
from ..records import Record, Reputation
from .meritrank import Trust, TrustWalks
from .reliability import faded, pooled

STRANGERS = 10.0  # verdicts: enough to warn of a node nobody I trust has met, outweighed by a dozen that I trust


class TrustedAccount(Record, frozen=True):
    """An account this client trusts, as far as walks from its own ratings reach it."""

    address: str
    score: float
    owns: list[int]
    why: str


class PersonalTrust:
    """What follows from the ratings on chain for ``me`` (checksum address)."""

    def __init__(self, me: str) -> None:
        self._walks = TrustWalks(me)
        self._seen: set[tuple[str, int, bytes]] = set()
        self._batches: list[Batch] = []
        self._edges: list[tuple[str, str, float]] = []  # (rater, owner, verdicts), until walks get anywhere
        self._waiting: list[tuple[str, int, float]] = []  # ratings of nodes whose owner is not known yet
        self._owners: dict[int, str] = {}
        self._scores: dict[str, float] = {}
        self._known = 0.0

    def update(self, batches: Iterable[Batch], owners: Mapping[int, str]) -> bool:
        """Take in batches that stand (those known already are passed over): whether anything changed."""
        self._owners.update(owners)
        fresh = [batch for batch in batches if (batch.rater, batch.number, batch.root) not in self._seen]
        self._seen.update((batch.rater, batch.number, batch.root) for batch in fresh)
        self._batches += fresh
        ratings = [
            (batch.rater, delta.node, (delta.positive - delta.negative) / 100)
            for batch in fresh
            for delta in batch.deltas
        ]
        known = [rating for rating in (*self._waiting, *ratings) if rating[1] in self._owners]
        self._waiting = [rating for rating in (*self._waiting, *ratings) if rating[1] not in self._owners]
        edges = [(rater, self._owners[node], value) for rater, node, value in known]
        if self._scores:
            for edge in edges:
                self._walks.rate(*edge)
        elif edges:  # nobody was reached so far: one walk over everything is quicker than one a rating
            self._edges += edges
            self._walks = TrustWalks(self._walks.me, self._edges)
        if edges:
            self._scores = self._walks.scores()
            squares = sum(score**2 for score in self._scores.values())
            self._known = sum(self._scores.values()) ** 2 / squares if squares else 0.0
        return bool(fresh or known)

    def weight(self, rater: str) -> float:
        """0..1: 1 for me and for whoever is trusted as much as those I know are on average.

        How many I know is their effective number: a crowd that walks hardly reach counts for hardly anybody.
        """
        if rater == self._walks.me:
            return 1.0
        return min(self._scores.get(rater, 0.0) * self._known, 1.0)

    def score(self, address: str) -> float:
        """MeritRank of an account, 0 where no walk of mine gets there."""
        return self._scores.get(address, 0.0)

    def reputations(self, now: int) -> dict[int, Reputation]:
        """Every rated node's reliability as I should see it at ``now`` (unix seconds); empty while I trust nobody."""
        if not self._scores:
            return {}
        trusted: dict[int, Reputation] = {}
        strangers: dict[int, Reputation] = {}
        for batch in self._batches:
            share = self.weight(batch.rater)
            left = KEPT ** max(now // EPOCH_SECONDS - batch.submitted_at // EPOCH_SECONDS, 0)
            for delta in batch.deltas:
                said = Reputation(
                    positive=left * delta.positive / 100, negative=left * delta.negative / 100, count=delta.count
                )
                _add(trusted, delta.node, faded(said, share))
                _add(strangers, delta.node, _without_count(faded(said, 1 - share)))
        return {node: pooled(known, _capped(strangers[node])) for node, known in trusted.items()}

    def people(self) -> list[TrustedAccount]:
        """Whom I trust, most first."""
        owned: dict[str, list[int]] = {}
        for node, owner in self._owners.items():
            owned.setdefault(owner, []).append(node)
        order = sorted(self._scores, key=lambda address: (-self._scores[address], address))
        return [
            TrustedAccount(address=each, score=self._scores[each], owns=owned.get(each, []), why=self.why(each))
            for each in order
        ]

    def why(self, address: str, names: Mapping[str, str] | None = None) -> str:
        """A sentence on why I trust an account as far as I do."""
        found = self._walks.explain(address)
        known = names or {}
        return str(
            Trust(
                node=known.get(found.node, found.node),
                score=found.score,
                reached=found.reached,
                path=tuple(known.get(step, step) for step in found.path),
                introducer=None if found.introducer is None else known.get(found.introducer, found.introducer),
            )
        )


def _add(sums: dict[int, Reputation], node: int, said: Reputation) -> None:
    sums[node] = pooled(sums[node], said) if node in sums else said


def _without_count(known: Reputation) -> Reputation:
    return Reputation(positive=known.positive, negative=known.negative)


def _capped(strangers: Reputation) -> Reputation:
    total = strangers.positive + strangers.negative
    return faded(strangers, min(STRANGERS / total, 1.0)) if total > 0 else strangers
