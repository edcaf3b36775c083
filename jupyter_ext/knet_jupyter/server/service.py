"""State shared by the handlers: one client a network, thread pools, and the local nodes."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from .connections import Clients
from .health import HealthMonitor
from .local_nodes import LocalNodes

WORKERS = 16  # questions, verifications and chain reads at once; each spends most of its time waiting
HEALTH_WORKERS = 4  # health checks at once, in their own pool: panels poll while the workers wait


class Service:
    """State shared by all tabs and users of one server. Close it."""

    def __init__(self, profile: str, root: Path) -> None:
        self.pool = ThreadPoolExecutor(WORKERS, "knet-jupyter")
        self.health_pool = ThreadPoolExecutor(HEALTH_WORKERS, "knet-jupyter-health")
        self.clients = Clients(profile)
        self.local_nodes = LocalNodes(root)
        self.health = HealthMonitor(self.clients, self.local_nodes)
        self._asking: dict[str, threading.Event] = {}
        atexit.register(self.close)

    @contextmanager
    def asking(self) -> Iterator[tuple[str, threading.Event]]:
        """Register a question: yields the id by which `stop` cancels it, and the event that is then set."""
        number, stop = uuid4().hex, threading.Event()
        self._asking[number] = stop
        try:
            yield number, stop
        finally:
            self._asking.pop(number, None)

    def stop(self, number: str) -> bool:
        """Cancel a question. Returns True if it was still running."""
        event = self._asking.get(number)
        if event is not None:
            event.set()
        return event is not None

    def close(self) -> None:
        """Cancel every question; stop nodes and networks that were started here."""
        atexit.unregister(self.close)
        for event in self._asking.values():
            event.set()
        self.local_nodes.close()
        self.clients.close()
        for pool in (self.pool, self.health_pool):
            pool.shutdown(wait=False, cancel_futures=True)
