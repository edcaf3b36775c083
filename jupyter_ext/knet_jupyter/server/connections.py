"""One client a network for all callers: connected on first use, closed with the server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait

from knet.chain.devchain import network_status
from knet.client.network import Network, connect
from knet.config import Profile, default_name, load_profile, profile_names
from knet.errors import Cancelled, ConfigError, KnetError, NodeBusy
from knet.records import Answer
from knet.redaction import redacted
from knet_indexer.demo.network import NAME as DEMO
from knet_indexer.demo.network import DemoNetwork, wait_until_ready

from ..protocol import ConnectionState, Phase

OnPhase = Callable[[Phase], None]

POLL_SECONDS = 0.05  # between two checks of a waiting caller for its cancellation


class Clients:
    """The clients by the names of their profiles. Safe to use from several threads; close it."""

    def __init__(self, default: str) -> None:
        self._default = default
        self._connections: dict[str, _Connection] = {}
        self._lock = threading.Lock()

    def network(
        self, profile: str = "", on_phase: OnPhase | None = None, stop: threading.Event | None = None
    ) -> Network:
        """Return the client of a network (empty: the default one), and connect if necessary.

        Setting ``stop`` ends the wait, but not the attempt to connect. Raises ConfigError, ChainError, Cancelled.
        """
        return self._connection(self._name(profile)).network(on_phase, stop)

    def network_of(self, answer: Answer, profile: str = "", stop: threading.Event | None = None) -> Network:
        """Return the client of the network that an answer came from, as `network`.

        The network is that of ``profile`` or of another profile of this user. An answer of none of them gets
        ``profile``.
        """
        given = self._name(profile)
        fitting = (name for name in (given, *profile_names()) if _is_of(answer, name))
        return self.network(next(fitting, given), stop=stop)

    def connected(self, profile: str = "") -> Network | None:
        """Return the client of a network, or None if it is not connected. Starts nothing. Raises ConfigError."""
        return self._connection(self._name(profile)).current()

    def state(self, profile: str = "") -> ConnectionState:
        """Return the state of the connection to a network. Starts nothing."""
        try:
            name = self._name(profile)
        except ConfigError as error:
            return ConnectionState(profile="", profiles=_known(), state="off", detail=error.described)
        return self._connection(name).state()

    def _name(self, profile: str) -> str:
        name = profile or self._default or default_name()
        return name if name == DEMO else load_profile(name or None).name

    def _connection(self, name: str) -> _Connection:
        with self._lock:
            return self._connections.setdefault(name, _Connection(name))

    def close(self) -> None:
        """Close every client, and stop the demo network if it was started here."""
        with self._lock:
            connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close()


class _Connection:
    """Connection to one network: off until its first use, then starting, then ready or failed. A failed one is
    retried."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._starting: Future[Network] | None = None  # shared by all callers that wait
        self._demo: DemoNetwork | None = None
        self._retired: list[Network] = []
        self._problem = ""
        self._phases: dict[str, Phase] = {}
        self._listeners: list[OnPhase] = []

    def network(self, on_phase: OnPhase | None, stop: threading.Event | None) -> Network:
        """Return the client, and connect if necessary. Raises as `Clients.network`."""
        network = self.current()
        if network is not None and self._is_changed(network):
            self._retire(network)
        if on_phase is not None:
            self._listeners.append(on_phase)
        try:
            future = self._attempt()
            while stop is not None and not wait([future], POLL_SECONDS).done:
                if stop.is_set():
                    raise Cancelled("The caller stopped waiting for the network.")
            return future.result()
        finally:
            if on_phase is not None:
                self._listeners.remove(on_phase)

    def current(self) -> Network | None:
        """Return the client, or None; the client of a demo network ends when another process stops that network."""
        network = self._network
        if network is not None and self._name == DEMO and not network_status(DEMO).running:
            self._retire(network, "The demo network has ended. Connect to start it again.")
            return None
        return network

    def _is_changed(self, network: Network) -> bool:
        """Return True if the profile has changed on disk. A missing or unreadable profile counts as unchanged."""
        try:
            return self._demo is None and load_profile(self._name) != network.profile
        except ConfigError:
            return False

    def _retire(self, network: Network, problem: str = "") -> None:
        with self._lock:
            if self._network is network:
                self._retired.append(network)  # it may still have questions to answer
                self._problem, self._network = problem, None

    def _attempt(self) -> Future[Network]:
        """Return the finished or running connection attempt; start one in a new thread if there is none."""
        with self._lock:
            if self._starting is None:
                future = Future[Network]()
                if self._network is not None:
                    future.set_result(self._network)
                    return future
                self._starting, self._problem, self._phases = future, "", {}
                name = f"knet-connect-{self._name}"
                threading.Thread(target=self._connect, args=(future,), daemon=True, name=name).start()
            return self._starting

    def _connect(self, future: Future[Network]) -> None:
        try:
            network = connect(self._start_demo() if self._name == DEMO else load_profile(self._name))
        except Exception as error:
            with self._lock:
                if self._starting is future:
                    self._problem, self._starting = _problem_of(error), None
                    future.set_exception(error)
            return
        with self._lock:
            if self._starting is future:
                self._network, self._starting = network, None
                future.set_result(network)
                return
        network.close()  # the server was closed in the meantime
        self._stop_demo()

    def _start_demo(self) -> Profile:
        self._stop_demo()  # an earlier one that was started here and lost its chain
        self._demo = DemoNetwork()
        try:
            return self._demo.start(self._report)
        except NodeBusy:  # another process runs it
            self._demo = None
            wait_until_ready(self._report)
            return load_profile(DEMO)
        except KnetError:
            self._stop_demo()
            raise

    def _stop_demo(self) -> None:
        if self._demo is not None:
            self._demo.stop()

    def _report(self, title: str, phase: str, done: int, total: int) -> None:
        self._phases[title] = Phase(title=title, phase=phase, done=done, total=total)
        for listener in list(self._listeners):
            listener(self._phases[title])

    def state(self) -> ConnectionState:
        """Return the state without the lock: fields are read in the reverse order of their assignment."""
        starting, network = self._starting is not None, self._network
        return ConnectionState(
            profile=self._name,
            profiles=_known(),
            state="starting" if starting else "ready" if network else "failed" if self._problem else "off",
            detail=self._problem,
            phases=list(self._phases.values()) if starting else [],
            address=network.address if network else "",
            development=network is not None and network.profile.addresses == "loopback",
        )

    def close(self) -> None:
        """Close the client, or end the attempt to connect; stop the demo network if it was started here."""
        with self._lock:
            future, self._starting = self._starting, None
            if future is not None:
                future.set_exception(Cancelled("The server is closing."))
        self._stop_demo()
        for network in (*self._retired, self._network):
            if network is not None:
                network.close()


def _is_of(answer: Answer, name: str) -> bool:
    """Return True if an answer's receipts are for the network of a profile."""
    try:
        deployment = load_profile(name).deployment
    except ConfigError:
        return False
    return (answer.chain_id, answer.contract.lower()) == (deployment.chain_id, deployment.reliability.lower())


def _known() -> list[str]:
    return sorted({*profile_names(), DEMO})


def _problem_of(error: Exception) -> str:
    return error.described if isinstance(error, KnetError) else redacted(str(error)) or type(error).__name__
