"""Personal view of reliability: verified ratings, weighted by this client's trust in their raters.

Trust in raters comes from `TrustWalks` over public events: a rater trusts the owner of each node that it rated well,
and that owner's ratings extend the trust. Walks start from the client's own account, and from the raters that a
network's profile names. `knet.trust.rating_evidence` says what each kind of rater can change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..chain.batches import Batch
from ..records import Record, Reputation
from .meritrank import Trust, TrustWalks
from .rating_evidence import OWN_HALVES, public_credit, sum_ratings, trusted_evidence
from .reliability import pooled

STARTING_EDGE = 1.0  # ratings of its owner that naming a starting rater is worth


class TrustedAccount(Record, frozen=True):
    """An account that walks from this client's own ratings reach."""

    address: str
    score: float
    owns: list[int]
    why: str


class PersonalTrust:
    """Trust in raters and reliability of nodes, from verified ratings, as seen by ``me`` (checksum address).

    ``starting`` are raters that the network's profile names.
    """

    def __init__(self, me: str, starting: Sequence[str] = ()) -> None:
        self._starting = frozenset(starting) - {me}
        self._walks = TrustWalks(me)
        self._seen: set[tuple[str, int, bytes]] = set()
        self._batches: list[Batch] = []
        # (rater, owner, ratings), until a walk leaves `me`
        self._edges = [(me, rater, STARTING_EDGE) for rater in sorted(self._starting)]
        self._waiting: list[tuple[str, int, float]] = []  # ratings of nodes whose owner is not known yet
        self._owners: dict[int, str] = {}
        self._scores: dict[str, float] = {}
        self._known = 0.0
        self._introducers: dict[str, str] = {}

    def update(self, batches: Iterable[Batch], owners: Mapping[int, str]) -> bool:
        """Add verified batches, without those already added. Return True if anything changed."""
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
        elif edges or self._edges:  # no account was reached so far: starting all walks again is quicker
            self._edges += edges
            self._walks = TrustWalks(self._walks.me, self._edges)
        if edges or self._edges:
            self._scores = self._walks.scores()
            self._introducers = self._walks.introducers()
            squares = sum(score**2 for score in self._scores.values())
            self._known = sum(self._scores.values()) ** 2 / squares if squares else 0.0
        return bool(fresh or known)

    def weight(self, rater: str) -> float:
        """Return 0..1: 1 for ``me``, for starting raters, and for accounts with at least the average score.

        The average is over the effective number of accounts, which many accounts with tiny scores hardly raise.
        """
        if rater == self._walks.me or rater in self._starting:
            return 1.0
        return min(self._scores.get(rater, 0.0) * self._known, 1.0)

    def score(self, address: str) -> float:
        """Return the MeritRank of an account, 0 where no walk reaches it."""
        return self._scores.get(address, 0.0)

    def reputations(self, now: int) -> dict[int, Reputation]:
        """Return every rated node's reliability at ``now`` (unix seconds)."""
        me = self._walks.me
        sums = sum_ratings(self._batches, now)
        own = sums.pop(me, {})
        rated = sum(each.positive + each.negative for each in own.values())
        public = public_credit(sums)
        trusted = trusted_evidence(
            sums, self.weight, lambda rater: self._introducers.get(rater, rater), self._starting.__contains__
        )
        share = 1 / (1 + (rated / OWN_HALVES) ** 2)
        return {
            node: pooled(
                own.get(node, Reputation()),
                trusted.get(node, Reputation()),
                Reputation(positive=share * public.get(node, 0.0)),
            )
            for node in {*own, *trusted, *public}
        }

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
