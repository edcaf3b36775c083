"""Routes of the local nodes, which index folders of the workspace."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.records import Record

from ..local_nodes import LocalNode
from .base import KnetHandler


class StartRequest(Record, frozen=True):
    """A node to start: a new one over ``folder``, or an existing one. ``endpoint`` is its URL for other machines."""

    name: str
    folder: str = ""
    endpoint: str = ""
    profile: str = ""


class NodeName(Record, frozen=True):
    name: str


class LocalNodesHandler(KnetHandler):
    """GET: the local nodes with their states. POST {name, folder}: start one."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self.service.local_nodes.nodes))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self._start, self.body_as(StartRequest)))

    def _start(self, body: StartRequest) -> LocalNode:
        profile = self.network(body.profile).profile
        return self.service.local_nodes.start(body.name, body.folder, profile, endpoint=body.endpoint)


class SyncHandler(KnetHandler):
    """POST {name}: index the changes in the node's folder, and publish them."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self.service.local_nodes.sync, self.body_as(NodeName).name))


class StopNodeHandler(KnetHandler):
    """POST {name}: stop serving; the publications of the node remain."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self.service.local_nodes.stop, self.body_as(NodeName).name))
