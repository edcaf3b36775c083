"""Budget of requests to the servers that registrations name.

Any account may register any number of nodes with the address of a third party. Until a server has served a block that
verifies, one node of it is tried at a time, and each failure makes the server rest longer. Nodes that have served a
block are remembered on disk and are free of the budget.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path

from yarl import URL

from ..codec import Cid, from_json, to_json
from ..content.base import BlockSource
from ..errors import CodecError, ContentError, DeadlineExceeded, TransportError, Unreachable
from ..files import write_atomically
from ..records import NodeEntry, Record

HOST_TRIALS = 16  # nodes tried at once at different ports of one host
GAIN = 4  # further trials for each node that has served a block
MOST_TRIALS = 64  # trials that a server can save up
FIRST_PAUSE = 10.0  # seconds after the last failed trial; doubled with each
LAST_PAUSE = 3600.0
UNREACHABLE_PAUSE = 60.0  # at most, where there was no connection: this client may be offline
STRIKES = 8  # failures in a row until a node that once served a block is on trial again
MAX_SERVERS = 20_000  # remembered; a few megabytes
MAX_NODES = 4096  # nodes remembered for each server
SAVED_SECONDS = 5.0  # between writes
HELD_BACK = "its address is not contacted now: nodes that name it have served no valid block"


class Admission(Enum):
    """Outcome of a request for contact: now, after the trial of another node, or not before the server has rested."""

    ADMITTED = auto()
    WAITING = auto()
    RESTING = auto()


class SavedServer(Record, frozen=True):
    """A server as it is kept on disk: nodes that served a block, and the end (unix seconds) and length of its rest."""

    nodes: list[int] = []
    until: float = 0.0
    pause: float = FIRST_PAUSE


@dataclass
class _Server:
    tokens: int
    nodes: dict[int, int] = field(default_factory=dict)  # failures in a row of each node that has served a block
    trials: set[int] = field(default_factory=set)
    until: float = 0.0
    pause: float = FIRST_PAUSE
    reason: str = ""

    def can_try(self) -> bool:
        if not self.tokens and not self.trials and not 0 < self.until - time.time() <= LAST_PAUSE:
            self.tokens = 1
        return self.tokens > 0

    def fail(self, node: int, pause_limit: float, reason: str) -> None:
        self.reason = reason or self.reason
        self.trials.discard(node)
        if not self.tokens and not self.trials:
            pause = min(self.pause, pause_limit)
            self.until, self.pause = time.time() + pause, min(2 * pause, LAST_PAUSE)


class OriginBudget:
    """Budget of one client. Safe to use from several threads; ``path`` keeps it, None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._saved = time.monotonic()
        self._changed = False
        self._servers: dict[str, _Server] = {}
        saved: dict[str, SavedServer] = {}
        if path is not None:
            with suppress(OSError, CodecError):
                saved = from_json(path.read_bytes(), dict[str, SavedServer])
        for key, each in saved.items():
            tokens = min(GAIN * len(each.nodes), MOST_TRIALS) if each.nodes else 0
            self._servers[key] = _Server(tokens, dict.fromkeys(each.nodes, 0), until=each.until, pause=each.pause)

    def admit(self, entry: NodeEntry) -> Admission:
        """Return whether the node's address may be contacted now; if so and it is new, begin its trial."""
        with self._lock:
            host, origin = self._of(entry)
            if entry.node in origin.nodes or entry.node in origin.trials:
                return Admission.ADMITTED
            if host.can_try() and origin.can_try():
                for server in (host, origin):
                    server.tokens -= 1
                    server.trials.add(entry.node)
                return Admission.ADMITTED
            lacking = host if origin.can_try() else origin
            return Admission.WAITING if lacking.trials else Admission.RESTING

    def served(self, entry: NodeEntry) -> None:
        """Remember that the node served a block that verifies, and end its trial."""
        with self._lock:
            host, origin = self._of(entry)
            if entry.node in origin.nodes:
                origin.nodes[entry.node] = 0
                return
            for server in (host, origin):
                server.trials.discard(entry.node)
                server.tokens = min(server.tokens + GAIN, MOST_TRIALS)
                server.until, server.pause = 0.0, FIRST_PAUSE
                if len(server.nodes) < MAX_NODES:
                    server.nodes[entry.node] = 0
            self._keep()

    def failed(self, entry: NodeEntry, *, reason: str = "", reached: bool = True, strike: bool = True) -> None:
        """Count a failure of the node: its trial ends, and its server rests if no other trial is left.

        ``reached`` is False where there was no connection or no reply. A ``strike`` brings a known node nearer to
        another trial.
        """
        with self._lock:
            host, origin = self._of(entry)
            if entry.node in origin.trials:
                for server in (host, origin):
                    server.fail(entry.node, LAST_PAUSE if reached else UNREACHABLE_PAUSE, reason)
                self._keep()
            elif entry.node in origin.nodes and reached and strike:
                origin.nodes[entry.node] += 1
                if origin.nodes[entry.node] >= STRIKES:
                    del origin.nodes[entry.node]

    def refusal(self, entry: NodeEntry) -> str:
        """Return the reason why a node's address is not contacted now."""
        with self._lock:
            reason = self._of(entry)[1].reason
        return f"{entry.endpoint}: {HELD_BACK}" + (f"; the last one: {reason}" if reason else "")

    def settle(self, entry: NodeEntry) -> None:
        """End the trial of a node that was not contacted."""
        with self._lock:
            for server in self._of(entry):
                if entry.node in server.trials:
                    server.trials.discard(entry.node)
                    server.tokens += 1

    def close(self) -> None:
        """Write what changed."""
        with self._lock:
            self._write()

    def _of(self, entry: NodeEntry) -> tuple[_Server, _Server]:
        host, origin = servers_of(entry.endpoint)
        if len(self._servers) > MAX_SERVERS + MAX_SERVERS // 10:
            ordered = sorted(self._servers.items(), key=lambda item: bool(item[1].nodes) or bool(item[1].trials))
            self._servers = dict(ordered[-MAX_SERVERS:])
        return (
            self._servers.setdefault(host, _Server(HOST_TRIALS)),
            self._servers.setdefault(origin, _Server(1)),
        )

    def _keep(self) -> None:
        self._changed = True
        if time.monotonic() - self._saved > SAVED_SECONDS:
            self._write()

    def _write(self) -> None:
        if self._path is None or not self._changed:
            return
        self._saved, self._changed = time.monotonic(), False
        kept = {
            key: SavedServer(nodes=list(each.nodes), until=each.until, pause=each.pause)
            for key, each in self._servers.items()
            if each.nodes or each.until > time.time()
        }
        with suppress(OSError):  # a full disk: the budget holds until the end of this process
            write_atomically(self._path, to_json(kept).encode())


@lru_cache(MAX_SERVERS)
def servers_of(endpoint: str) -> tuple[str, str]:
    """Return the host and the origin of an endpoint, the same for every spelling of them."""
    try:
        url = URL(endpoint)
        host, port = (url.host or "").rstrip("."), url.port
    except ValueError:
        return endpoint, f"{endpoint} origin"
    with suppress(OSError):  # 127.1 and 2130706433 are spellings of 127.0.0.1
        host = socket.inet_ntoa(socket.inet_aton(host))
    return host, f"{host} {port}"


class BudgetedSource:
    """Source of blocks at a node's own address, within the budget of its server."""

    def __init__(self, budget: OriginBudget, entry: NodeEntry, source: BlockSource) -> None:
        self._budget = budget
        self._entry = entry
        self._source = source

    def get(self, cid: Cid) -> bytes:
        """Return the block, checked. Raises Unreachable where the server may not be contacted now."""
        if self._budget.admit(self._entry) is not Admission.ADMITTED:
            raise Unreachable(self._budget.refusal(self._entry))
        try:
            data = self._source.get(cid)
        except (ContentError, TransportError) as error:
            reached = not isinstance(error, Unreachable | DeadlineExceeded)
            self._budget.failed(self._entry, reason=str(error), reached=reached)
            raise
        self._budget.served(self._entry)
        return data

    def has(self, cid: Cid) -> bool:
        """Return False: a node is another machine."""
        return False
