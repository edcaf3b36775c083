"""How everything is at this moment: the connection, whether the network's nodes answer, and what mine are doing."""

from __future__ import annotations

import threading
import time

from msgspec.structs import replace

from knet.client.network import Network
from knet.errors import KnetError
from knet.records import Record
from knet.routing.health import NodeHealth

from ..protocol import State
from .connections import Clients
from .local_nodes import LocalNode, LocalNodes

FRESH_SECONDS = 3.0  # several tabs, panels and status bars share one look at the nodes


class HealthSnapshot(Record, frozen=True):
    """``nodes`` is empty while there is no connection; ``problem`` says why the network could not be looked at."""

    state: State
    nodes: list[NodeHealth] = []
    own: list[LocalNode] = []
    problem: str = ""


class Pulses:
    """Takes the pulse of networks that are connected; starts nothing. Safe to use from several threads."""

    def __init__(self, clients: Clients, own: LocalNodes) -> None:
        self._clients = clients
        self._own = own
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, list[NodeHealth]]] = {}  # profile -> when, and what

    def take(self, profile: str = "") -> HealthSnapshot:
        """The state of one network (empty: the default one) and of its nodes."""
        state = self._clients.state(profile)
        own = self._own.nodes()
        network = self._clients.connected(profile) if state.state == "ready" else None
        if network is None:  # or no more
            return HealthSnapshot(state=self._clients.state(profile), own=own)
        try:
            nodes = self._health(state.profile, network)
            return HealthSnapshot(state=state, nodes=nodes, own=_elsewhere(own, nodes, network))
        except KnetError as error:
            return HealthSnapshot(state=state, own=own, problem=str(error))

    def _health(self, name: str, network: Network) -> list[NodeHealth]:
        with self._lock:
            taken, nodes = self._seen.get(name, (0.0, []))
            if not taken or time.monotonic() - taken > FRESH_SECONDS:
                nodes = network.health()
                self._seen[name] = (time.monotonic(), nodes)
            return nodes


def _elsewhere(own: list[LocalNode], nodes: list[NodeHealth], network: Network) -> list[LocalNode]:
    """Nodes of mine that nobody started here and that answer all the same: from a terminal, as a service."""
    up = {one.node for one in nodes if one.state in ("up", "behind")}
    answering = {view.entry.endpoint.rstrip("/") for node, view in network.views().items() if node in up}
    return [replace(one, state="elsewhere") if one.state == "off" and one.endpoint in answering else one for one in own]
