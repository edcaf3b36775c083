"""One connection a process for those who just ask: `knet.ask`, the notebook magics and widgets share it."""

from __future__ import annotations

import atexit
import threading
from typing import Any

from ..config import default_name, load_profile
from .live import LiveAnswer
from .network import Network, connect

_networks: dict[str, Network] = {}
_connecting = threading.Lock()


def shared_network(profile: str | None = None) -> Network:
    """The process's connection to a network: a profile's name, None for the default one, "demo" for an embedded one.

    It is made on first use, again when the profile has changed since, and closed when the process ends.
    Raises ConfigError.
    """
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
