"""Routes of the network: connection state, health, nodes and overview."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.records import Record
from knet.routing.node_info import NodeInfo

from ...protocol import ConnectionState
from ..overview import Overview, overview
from .base import CallHandler, KnetHandler, ReadHandler


class ConnectRequest(Record, frozen=True):
    profile: str = ""


class StateHandler(KnetHandler):
    """GET: the state of the connection; starts nothing."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(self.service.clients.state(self.get_query_argument("profile", "")))  # does not block


class ConnectHandler(CallHandler):
    """POST {profile}: connect, which starts the demo network if the profile is `demo`."""

    request_type = ConnectRequest

    def call(self, body: ConnectRequest) -> ConnectionState:
        self.network(body.profile)
        return self.service.clients.state(body.profile)


class HealthHandler(KnetHandler):
    """GET: the health of the connection, of each node, and of the local nodes; starts nothing."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        profile = self.get_query_argument("profile", "")
        self.reply(await self.work(self.service.health.snapshot, profile, pool=self.service.health_pool))


class NodesHandler(ReadHandler):
    """GET: every node with its contents and its reliability."""

    def read(self, profile: str) -> list[NodeInfo]:
        return self.network(profile).nodes()


class OverviewHandler(ReadHandler):
    """GET: the map of topics, reliability over time, and this user's ratings and trust."""

    def read(self, profile: str) -> Overview:
        return overview(self.network(profile))
