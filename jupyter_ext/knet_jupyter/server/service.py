"""What the handlers share: one client a network, pools of threads, the user's own nodes."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from .connections import Clients
from .health import Pulses
from .local_nodes import LocalNodes

WORKERS = 16  # questions, verifications and chain reads at once: each waits for others most of its time
LOOKERS = 4  # pulses at once; they have threads of their own, since panels look while all others wait


class Service:
    """Shared by all tabs and users of one server. Close it."""

    def __init__(self, profile: str, root: Path) -> None:
        self.pool = ThreadPoolExecutor(WORKERS, "knet-jupyter")
        self.lookers = ThreadPoolExecutor(LOOKERS, "knet-jupyter-pulse")
        self.clients = Clients(profile)
        self.own = LocalNodes(root)
        self.pulses = Pulses(self.clients, self.own)
        self._asking: dict[str, threading.Event] = {}
        atexit.register(self.close)

    @contextmanager
    def asking(self) -> Iterator[tuple[str, threading.Event]]:
        """A question under way: its id, by which `stop` withdraws it, and what is then set."""
        number, stop = uuid4().hex, threading.Event()
        self._asking[number] = stop
        try:
            yield number, stop
        finally:
            self._asking.pop(number, None)

    def stop(self, number: str) -> bool:
        """Withdraw a question: whether it was still under way."""
        event = self._asking.get(number)
        if event is not None:
            event.set()
        return event is not None

    def close(self) -> None:
        """Withdraw every question; stop nodes and networks that were started here."""
        atexit.unregister(self.close)
        for event in self._asking.values():
            event.set()
        self.own.close()
        self.clients.close()
        for pool in (self.pool, self.lookers):
            pool.shutdown(wait=False, cancel_futures=True)
