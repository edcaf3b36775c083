"""Ratings: queue one, see what sending them costs, send them."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.codec import Cid, cid_of
from knet.errors import ChainError, ConfigError
from knet.rating.stake import Cost
from knet.records import Answer, Rating, Record

from .base import KnetHandler


class Verdict(Record, frozen=True):
    """A verdict (-1 to 1) on an answer, or on one passage of it (from 1)."""

    answer: Answer
    value: float
    passage: int | None = None
    profile: str = ""


class Queued(Record, frozen=True):
    """A rating that waits: whom it is about, how it judges (-100 to 100), and the CID of the receipt it is bound to."""

    node: int
    value: int
    receipt: str


class Pending(Record, frozen=True):
    """Ratings that wait, and what it takes to put them on chain; ``problem`` says why that is not known.

    ``rated`` is what was queued just now.
    """

    ratings: list[Queued]
    cost: Cost | None
    problem: str = ""
    rated: list[Rating] = []


class Sent(Record, frozen=True):
    transactions: list[str]


class Withdrawn(Record, frozen=True):
    """A rating that shall wait no more, by the CID of its receipt."""

    receipt: str
    profile: str = ""


class Consent(Record, frozen=True):
    """To send what waits; ``bond`` is the most wei to put at stake, as it was shown (in digits: JSON's numbers end)."""

    bond: str = "0"
    profile: str = ""


class _Waiting(KnetHandler):
    """Says what waits."""

    def _pending(self, profile: str, rated: Sequence[Rating] = ()) -> Pending:
        network = self.network(profile)
        waiting = network.pending_ratings()
        queued = [
            Queued(node=rating.receipt.receipt.node, value=rating.value, receipt=str(cid_of(rating.receipt.receipt)))
            for rating in waiting
        ]
        cost, problem = None, ""
        try:
            cost = network.rating_cost() if waiting else None
        except ChainError as error:  # they wait all the same
            problem = str(error)
        return Pending(ratings=queued, cost=cost, problem=problem, rated=list(rated))


class RatingsHandler(_Waiting):
    """GET: what waits and what it costs. POST {answer, value, passage}: queue one more."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self._pending, self.get_query_argument("profile", "")))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body_as(Verdict)
        rated = await self.work(self._rate, body)
        self.reply(await self.work(self._pending, body.profile, rated))

    def _rate(self, body: Verdict) -> list[Rating]:
        return self.network_of(body.answer, body.profile).rate(body.answer, body.value, passage=body.passage)


class WithdrawHandler(_Waiting):
    """POST {receipt, profile}: take one back."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body_as(Withdrawn)
        await self.work(self._withdraw, body)
        self.reply(await self.work(self._pending, body.profile))

    def _withdraw(self, body: Withdrawn) -> None:
        self.network(body.profile).withdraw_rating(Cid.parse(body.receipt))


class FlushHandler(KnetHandler):
    """POST {bond, profile}: put what waits on chain."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self._flush, self.body_as(Consent)))

    def _flush(self, body: Consent) -> Sent:
        if not body.bond.isdecimal():
            raise ConfigError("A bond is a number of wei.")
        return Sent(transactions=self.network(body.profile).flush_ratings(bond=int(body.bond)))
