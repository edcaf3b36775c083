"""Routes of the local nodes, which index folders of the workspace."""

from __future__ import annotations

from knet.records import Record

from ..local_nodes import LocalNode
from .base import CallHandler, ReadHandler


class StartRequest(Record, frozen=True):
    """A node to start: a new one over ``folder``, or an existing one. ``endpoint`` is its URL for other machines."""

    name: str
    folder: str = ""
    endpoint: str = ""
    profile: str = ""


class NodeName(Record, frozen=True):
    """The name of a local node."""

    name: str


class LocalNodesHandler(ReadHandler, CallHandler):
    """GET: the local nodes with their states. POST {name, folder}: start one."""

    request_type = StartRequest

    def read(self, profile: str) -> list[LocalNode]:
        return self.service.local_nodes.nodes()

    def call(self, body: StartRequest) -> LocalNode:
        profile = self.network(body.profile).profile
        return self.service.local_nodes.start(body.name, body.folder, profile, endpoint=body.endpoint)


class SyncHandler(CallHandler):
    """POST {name}: index the changes in the node's folder, and publish them."""

    request_type = NodeName

    def call(self, body: NodeName) -> LocalNode:
        return self.service.local_nodes.sync(body.name)


class StopNodeHandler(CallHandler):
    """POST {name}: stop serving; the publications of the node remain."""

    request_type = NodeName

    def call(self, body: NodeName) -> LocalNode:
        return self.service.local_nodes.stop(body.name)
