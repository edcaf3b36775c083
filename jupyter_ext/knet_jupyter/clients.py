"""One client for each network, whoever asks: connected when it is first needed, closed with the server."""

from __future__ import annotations

import threading
from collections.abc import Callable

from knet.config import Profile, default_name, load_profile, profile_names
from knet.errors import ConfigError, KnetError, NodeBusy
from knet.query.network import Network, connect
from knet_indexer.demo.network import NAME as DEMO
from knet_indexer.demo.network import DemoNetwork

from .events import Phase, State

OnPhase = Callable[[Phase], None]


class Clients:
    """Networks by the names of their profiles. Safe to use from several threads; close it."""

    def __init__(self, default: str) -> None:
        self._default = default
        self._connections: dict[str, _Connection] = {}
        self._lock = threading.Lock()

    def network(self, profile: str = "", on_phase: OnPhase | None = None) -> Network:
        """The client of a network (empty: the default one), connected if need be. Raises ConfigError, ChainError."""
        return self._connection(self._name(profile)).network(on_phase)

    def connected(self, profile: str = "") -> Network | None:
        """The client of a network if there is one by now. Starts nothing. Raises ConfigError."""
        return self._connection(self._name(profile)).connected

    def state(self, profile: str = "") -> State:
        """How the connection to a network stands. Starts nothing."""
        try:
            name = self._name(profile)
        except ConfigError as error:
            return State(profile="", profiles=_known(), state="off", detail=str(error))
        return self._connection(name).state()

    def _name(self, profile: str) -> str:
        name = profile or self._default or default_name()
        return name if name == DEMO else load_profile(name or None).name

    def _connection(self, name: str) -> _Connection:
        with self._lock:
            return self._connections.setdefault(name, _Connection(name))

    def close(self) -> None:
        """Close every client, and stop the embedded network if it was started here."""
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close()


class _Connection:
    """One network: off until somebody needs it, then starting, then ready or failed; a failed one is tried again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._demo: DemoNetwork | None = None
        self._retired: list[Network] = []
        self._starting = False
        self._problem = ""
        self._phases: dict[str, Phase] = {}
        self._listeners: list[OnPhase] = []

    def network(self, on_phase: OnPhase | None) -> Network:
        if on_phase is not None and self._network is None:
            self._listeners.append(on_phase)
        try:
            with self._lock:
                if self._network is not None and self._is_changed(self._network):
                    self._retired.append(self._network)  # questions may be under way in it
                    self._network = None
                if self._network is None:
                    self._network = self._connect()
                return self._network
        finally:
            if on_phase in self._listeners:
                self._listeners.remove(on_phase)

    @property
    def connected(self) -> Network | None:
        return self._network

    def _is_changed(self, network: Network) -> bool:
        """Whether the profile says something else by now. One that is gone, or cannot be read, changes nothing."""
        try:
            return self._demo is None and load_profile(self._name) != network.profile
        except ConfigError:
            return False

    def _connect(self) -> Network:
        self._starting, self._problem = True, ""
        try:
            return connect(self._start_demo() if self._name == DEMO else load_profile(self._name))
        except KnetError as error:
            self._problem = str(error)
            raise
        finally:
            self._starting = False

    def _start_demo(self) -> Profile:
        self._demo = DemoNetwork()
        try:
            return self._demo.start(self._tell)
        except NodeBusy:  # another program runs it
            return load_profile(DEMO)
        except KnetError:
            self._demo.stop()
            raise

    def _tell(self, title: str, phase: str, done: int, total: int) -> None:
        self._phases[title] = Phase(title=title, phase=phase, done=done, total=total)
        for listener in list(self._listeners):
            listener(self._phases[title])

    def state(self) -> State:
        network = self._network
        state = "starting" if self._starting else "ready" if network else "failed" if self._problem else "off"
        return State(
            profile=self._name,
            profiles=_known(),
            state=state,
            detail=self._problem,
            phases=list(self._phases.values()) if self._starting else [],
            address=network.address if network else "",
            development=network is not None and network.profile.addresses == "loopback",
        )

    def close(self) -> None:
        if self._demo is not None:
            self._demo.stop()
        for network in (*self._retired, self._network):
            if network is not None:
                network.close()


def _known() -> list[str]:
    return sorted({*profile_names(), DEMO})
