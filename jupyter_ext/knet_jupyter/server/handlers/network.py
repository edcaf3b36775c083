"""The network itself: how the connection stands, its nodes, and the picture of it."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.records import Record
from knet.routing.node_info import NodeInfo

from ...protocol import State
from ..overview import Overview, overview
from .base import KnetHandler


class Which(Record, frozen=True):
    profile: str = ""


class StateHandler(KnetHandler):
    """GET: how the connection stands; starts nothing."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(self.service.clients.state(self.get_query_argument("profile", "")))  # waits for nothing


class ConnectHandler(KnetHandler):
    """POST {profile}: connects, which starts the embedded network if that is the one."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self._connect, self.body_as(Which).profile))

    def _connect(self, profile: str) -> State:
        self.network(profile)
        return self.service.clients.state(profile)


class PulseHandler(KnetHandler):
    """GET: the connection, whether each node answers, and what mine are doing; starts nothing."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        profile = self.get_query_argument("profile", "")
        self.reply(await self.work(self.service.pulses.take, profile, pool=self.service.lookers))


class NodesHandler(KnetHandler):
    """GET: every node with what it holds and how reliable it has proven."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self._nodes, self.get_query_argument("profile", "")))

    def _nodes(self, profile: str) -> list[NodeInfo]:
        return self.network(profile).nodes()


class LandscapeHandler(KnetHandler):
    """GET: the map of topics, reliability over time, what I rated and whom I trust."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self._landscape, self.get_query_argument("profile", "")))

    def _landscape(self, profile: str) -> Overview:
        return overview(self.network(profile))
