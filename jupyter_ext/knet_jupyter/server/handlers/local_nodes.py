"""Nodes of the user's own, over folders of the workspace."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from knet.records import Record

from ..local_nodes import LocalNode
from .base import KnetHandler


class NewNode(Record, frozen=True):
    """A node to start: a new one over ``folder``, or one that exists. ``endpoint`` is its URL for others."""

    name: str
    folder: str = ""
    endpoint: str = ""
    profile: str = ""


class Named(Record, frozen=True):
    name: str


class OwnHandler(KnetHandler):
    """GET: my nodes and what they are doing. POST {name, folder}: start one."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self.service.own.nodes))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self._start, self.body_as(NewNode)))

    def _start(self, body: NewNode) -> LocalNode:
        profile = self.network(body.profile).profile
        return self.service.own.start(body.name, body.folder, profile, endpoint=body.endpoint)


class OwnSyncHandler(KnetHandler):
    """POST {name}: index what changed in its folder, and publish that."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self.service.own.sync, self.body_as(Named).name))


class OwnStopHandler(KnetHandler):
    """POST {name}: stop serving; what it published stays published."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self.service.own.stop, self.body_as(Named).name))
