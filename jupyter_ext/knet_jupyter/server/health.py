"""Health of a network now: the connection, the network's nodes, and the nodes of this user."""

from __future__ import annotations

import threading
import time

from msgspec.structs import replace

from knet.client.network import Network
from knet.errors import KnetError
from knet.records import Record
from knet.routing.health import NodeHealth

from ..protocol import ConnectionState
from .connections import Clients
from .local_nodes import LocalNode, LocalNodes

FRESH_SECONDS = 3.0  # several tabs, panels and status bars share one check of the nodes


class HealthSnapshot(Record, frozen=True):
    """Health now; ``nodes`` is empty without a connection, and ``problem`` tells why the network cannot be read."""

    state: ConnectionState
    nodes: list[NodeHealth] = []
    local_nodes: list[LocalNode] = []
    problem: str = ""


class HealthMonitor:
    """Checks of connected networks; starts no network. Safe to use from several threads."""

    def __init__(self, clients: Clients, local_nodes: LocalNodes) -> None:
        self._clients = clients
        self._local_nodes = local_nodes
        self._lock = threading.Lock()
        self._checks: dict[str, tuple[float, list[NodeHealth]]] = {}  # profile -> time and result

    def snapshot(self, profile: str = "") -> HealthSnapshot:
        """Return the health of one network (empty: the default one) and of its nodes."""
        state = self._clients.state(profile)
        local_nodes = self._local_nodes.nodes()
        network = self._clients.connected(profile) if state.state == "ready" else None
        if network is None:  # not connected, or the connection has ended
            return HealthSnapshot(state=self._clients.state(profile), local_nodes=local_nodes)
        try:
            nodes = self._health(state.profile, network)
            return HealthSnapshot(state=state, nodes=nodes, local_nodes=_mark_elsewhere(local_nodes, nodes, network))
        except KnetError as error:
            return HealthSnapshot(state=state, local_nodes=local_nodes, problem=error.described)

    def _health(self, name: str, network: Network) -> list[NodeHealth]:
        with self._lock:
            taken, nodes = self._checks.get(name, (0.0, []))
            if not taken or time.monotonic() - taken > FRESH_SECONDS:
                nodes = network.health()
                self._checks[name] = (time.monotonic(), nodes)
            return nodes


def _mark_elsewhere(local_nodes: list[LocalNode], nodes: list[NodeHealth], network: Network) -> list[LocalNode]:
    """Mark nodes that answer but were not started here, for example from a terminal or as a service."""
    up = {one.node for one in nodes if one.state in ("up", "behind")}
    answering = {view.entry.endpoint.rstrip("/") for node, view in network.views().items() if node in up}
    return [
        replace(one, state="elsewhere") if one.state == "off" and one.endpoint in answering else one
        for one in local_nodes
    ]
