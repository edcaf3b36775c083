"""Ratings: queue one, see what sending them costs, send them."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.records import Answer, Rating, Record
from knet.trust.cost import Cost

from .base import KnetHandler
from .network import Which


class Verdict(Record, frozen=True):
    """A verdict (-1 to 1) on an answer, or on one passage of it (from 1)."""

    answer: Answer
    value: float
    passage: int | None = None
    profile: str = ""


class Queued(Record, frozen=True):
    """A rating that waits: whom it is about, and how it judges (-100 to 100)."""

    node: int
    value: int


class Pending(Record, frozen=True):
    """Ratings that wait, and what it takes to put them on chain."""

    ratings: list[Queued]
    cost: Cost | None


class Sent(Record, frozen=True):
    transactions: list[str]


class RatingsHandler(KnetHandler):
    """GET: what waits and what it costs. POST {answer, value, passage}: queue one more."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self._pending, self.get_query_argument("profile", "")))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body_as(Verdict)
        await self.work(self._rate, body)
        self.reply(await self.work(self._pending, body.profile))

    def _rate(self, body: Verdict) -> list[Rating]:
        return self.service.clients.network(body.profile).rate(body.answer, body.value, passage=body.passage)

    def _pending(self, profile: str) -> Pending:
        network = self.service.clients.network(profile)
        waiting = network.pending_ratings()
        queued = [Queued(node=rating.receipt.receipt.node, value=rating.value) for rating in waiting]
        return Pending(ratings=queued, cost=network.rating_cost() if waiting else None)


class FlushHandler(KnetHandler):
    """POST {profile}: put what waits on chain."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self._flush, self.body_as(Which).profile))

    def _flush(self, profile: str) -> Sent:
        return Sent(transactions=self.service.clients.network(profile).flush_ratings())
