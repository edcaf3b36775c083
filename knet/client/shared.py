"""Connection shared by all callers of one process: `knet.ask`, the notebook magics and widgets."""

from __future__ import annotations

import atexit
import threading
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from ..answer.live import AnswerBackend, LiveAnswer
from ..config import Profile, default_name, load_profile

if TYPE_CHECKING:
    from ..routing.node_info import NodeInfo
    from .network import Network

_networks: dict[str, Network] = {}
_connecting = threading.Lock()


class RatingSender(Protocol):
    """Ratings that wait, and can be put on chain."""

    def flush(self, *, bond: int = 0) -> list[str]: ...


class NetworkClient(AnswerBackend, Protocol):
    """Connection that a process asks through, its own (`Network`) or another process's."""

    @property
    def profile(self) -> Profile: ...
    @property
    def ratings(self) -> RatingSender: ...
    def ask(self, question: str, **options: Any) -> LiveAnswer: ...
    def nodes(self) -> list[NodeInfo]: ...


def shared_network(profile: str | None = None) -> NetworkClient:
    """Return the connection to a network: a profile's name, None for the default one, "demo" for an embedded one.

    Where an installed package knows of another process that has one for this one to use (entry points
    ``knet.shared``), as the Jupyter server has for its kernels, that; else `own_network`. Raises ConfigError.
    """
    for entry in entry_points(group="knet.shared"):
        found: NetworkClient | None = entry.load()(profile or default_name())
        if found is not None:
            return found
    return own_network(profile)


def own_network(profile: str | None = None) -> Network:
    """Return this process's own connection to a network, by name as in `shared_network`.

    It is made on first use, again when the profile has changed since, and closed when the process ends.
    Raises ConfigError.
    """
    from .network import connect  # brings the libraries of the chain and of the models

    with _connecting:
        name = profile or default_name() or load_profile().name
        kept = _networks.get(name)
        if kept is not None and kept.profile == load_profile(name):
            return kept
        if kept is not None:
            kept.close()
        _networks[name] = connect(name)
        if kept is None:
            atexit.register(_close, name)
        return _networks[name]


def ask(question: str, *, profile: str | None = None, **options: Any) -> LiveAnswer:
    """Ask the default network, or that of ``profile``; ``options`` as for `Network.ask`, and raises the same."""
    return shared_network(profile).ask(question, **options)


def _close(name: str) -> None:
    network = _networks.pop(name, None)
    if network is not None:
        network.close()
