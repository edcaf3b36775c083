"""Personal view of reliability: all ratings on chain, weighted by this client's trust in their raters.

Trust in raters comes from `TrustWalks` over public events: a rater trusts the owner of each node that it rated well,
and that owner's ratings extend the trust. Ratings of trusted raters count in full. Ratings of all other raters together
count as at most `STRANGERS` full ratings, regardless of their number and stake. While the client's own account has not
rated any node well, walks have no edge to start from, and the sums on chain are used instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..chain.batches import Batch
from ..chain.reliability import EPOCH_SECONDS, KEPT
from ..records import Record, Reputation
from .meritrank import Trust, TrustWalks
from .reliability import faded, pooled

STRANGERS = 10.0  # ratings: enough to warn of a node that no trusted rater knows, less than a dozen trusted ratings


class TrustedAccount(Record, frozen=True):
    """An account that walks from this client's own ratings reach."""

    address: str
    score: float
    owns: list[int]
    why: str


class PersonalTrust:
    """Trust in raters and reliability of nodes, from the ratings on chain, as seen by ``me`` (checksum address)."""

    def __init__(self, me: str) -> None:
        self._walks = TrustWalks(me)
        self._seen: set[tuple[str, int, bytes]] = set()
        self._batches: list[Batch] = []
        self._edges: list[tuple[str, str, float]] = []  # (rater, owner, ratings), until a walk leaves `me`
        self._waiting: list[tuple[str, int, float]] = []  # ratings of nodes whose owner is not known yet
        self._owners: dict[int, str] = {}
        self._scores: dict[str, float] = {}
        self._known = 0.0

    def update(self, batches: Iterable[Batch], owners: Mapping[int, str]) -> bool:
        """Add batches that are not slashed, without those already added. Return True if anything changed."""
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
        elif edges:  # no account was reached so far: starting all walks again is quicker than one update a rating
            self._edges += edges
            self._walks = TrustWalks(self._walks.me, self._edges)
        if edges:
            self._scores = self._walks.scores()
            squares = sum(score**2 for score in self._scores.values())
            self._known = sum(self._scores.values()) ** 2 / squares if squares else 0.0
        return bool(fresh or known)

    def weight(self, rater: str) -> float:
        """Return 0..1: 1 for ``me`` and for raters with at least the average score of the trusted accounts.

        The average is over their effective number, which many accounts with tiny scores hardly raise.
        """
        if rater == self._walks.me:
            return 1.0
        return min(self._scores.get(rater, 0.0) * self._known, 1.0)

    def score(self, address: str) -> float:
        """Return the MeritRank of an account, 0 where no walk reaches it."""
        return self._scores.get(address, 0.0)

    def reputations(self, now: int) -> dict[int, Reputation]:
        """Return every rated node's reliability at ``now`` (unix seconds); empty while there is no trusted account."""
        if not self._scores:
            return {}
        trusted: dict[int, Reputation] = {}
        strangers: dict[int, Reputation] = {}
        for batch in self._batches:
            share = self.weight(batch.rater)
            left = KEPT ** max(now // EPOCH_SECONDS - batch.submitted_at // EPOCH_SECONDS, 0)
            for delta in batch.deltas:
                rated = Reputation(
                    positive=left * delta.positive / 100, negative=left * delta.negative / 100, count=delta.count
                )
                _add(trusted, delta.node, faded(rated, share))
                _add(strangers, delta.node, _without_count(faded(rated, 1 - share)))
        return {node: pooled(known, _capped(strangers[node])) for node, known in trusted.items()}

    def trusted_accounts(self) -> list[TrustedAccount]:
        """Return the trusted accounts by descending score."""
        owned: dict[str, list[int]] = {}
        for node, owner in self._owners.items():
            owned.setdefault(owner, []).append(node)
        order = sorted(self._scores, key=lambda address: (-self._scores[address], address))
        return [
            TrustedAccount(address=each, score=self._scores[each], owns=owned.get(each, []), why=self.why(each))
            for each in order
        ]

    def why(self, address: str, names: Mapping[str, str] | None = None) -> str:
        """Explain in a sentence the trust in an account; ``names`` replaces addresses."""
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


def _add(sums: dict[int, Reputation], node: int, rated: Reputation) -> None:
    sums[node] = pooled(sums[node], rated) if node in sums else rated


def _without_count(known: Reputation) -> Reputation:
    return Reputation(positive=known.positive, negative=known.negative)


def _capped(strangers: Reputation) -> Reputation:
    total = strangers.positive + strangers.negative
    return faded(strangers, min(STRANGERS / total, 1.0)) if total > 0 else strangers
