"""Routes of the ratings: queue one, estimate the cost of sending, send them, withdraw one."""

from __future__ import annotations

from collections.abc import Sequence

from knet.codec import Cid, cid_of
from knet.errors import ChainError, ConfigError
from knet.rating.stake import Cost
from knet.records import Answer, Rating, Record

from ...protocol import Transactions
from .base import CallHandler, ReadHandler


class RatingRequest(Record, frozen=True):
    """A rating (-1 to 1) of an answer, or of one passage of it (from 1)."""

    answer: Answer
    value: float
    passage: int | None = None
    profile: str = ""


class QueuedRating(Record, frozen=True):
    """A queued rating: the rated node, the value (-100 to 100), and the CID of the receipt that it is bound to."""

    node: int
    value: int
    receipt: str


class PendingRatings(Record, frozen=True):
    """Queued ratings, and the cost of putting them on chain; ``problem`` tells why the cost is unknown.

    ``rated`` holds the ratings that this request queued.
    """

    ratings: list[QueuedRating]
    cost: Cost | None
    problem: str = ""
    rated: list[Rating] = []


class WithdrawRequest(Record, frozen=True):
    """A queued rating to withdraw, named by the CID of its receipt."""

    receipt: str
    profile: str = ""


class FlushRequest(Record, frozen=True):
    """Consent to send the queue; ``bond`` is the maximum stake in wei, in digits because it exceeds JSON's numbers."""

    bond: str = "0"
    profile: str = ""


class _QueueHandler(CallHandler):
    """Base of the handlers that reply with the queue."""

    def _pending(self, profile: str, rated: Sequence[Rating] = ()) -> PendingRatings:
        network = self.network(profile)
        pending = network.ratings.pending()
        queued = [
            QueuedRating(
                node=rating.receipt.receipt.node, value=rating.value, receipt=str(cid_of(rating.receipt.receipt))
            )
            for rating in pending
        ]
        cost, problem = None, ""
        try:
            cost = network.ratings.cost() if pending else None
        except ChainError as error:  # the queue is shown without its cost
            problem = error.described
        return PendingRatings(ratings=queued, cost=cost, problem=problem, rated=list(rated))


class RatingsHandler(_QueueHandler, ReadHandler):
    """GET: the queue and its cost. POST {answer, value, passage}: queue a rating."""

    request_type = RatingRequest

    def read(self, profile: str) -> PendingRatings:
        return self._pending(profile)

    def call(self, body: RatingRequest) -> PendingRatings:
        network = self.network_of(body.answer, body.profile)
        rated = network.rate(body.answer, body.value, passage=body.passage)
        return self._pending(body.profile, rated)


class WithdrawHandler(_QueueHandler):
    """POST {receipt, profile}: withdraw a queued rating."""

    request_type = WithdrawRequest

    def call(self, body: WithdrawRequest) -> PendingRatings:
        self.network(body.profile).ratings.withdraw(Cid.parse(body.receipt))
        return self._pending(body.profile)


class FlushHandler(CallHandler):
    """POST {bond, profile}: put the queue on chain."""

    request_type = FlushRequest

    def call(self, body: FlushRequest) -> Transactions:
        if not body.bond.isdecimal():
            raise ConfigError(f"{body.bond[:40]!r} is not a number of wei.", hint="Send the bond in decimal digits.")
        return Transactions(transactions=self.network(body.profile).ratings.flush(bond=int(body.bond)))
