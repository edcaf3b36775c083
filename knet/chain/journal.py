"""What one key has sent to one chain and is not yet beyond doubt: written down before it is sent.

Whatever happens in between, a dropped connection, a crash, a chain that settled on other blocks, whoever sends with the
key next finds out what became of it, and sends it again rather than anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil
from filelock import FileLock
from hexbytes import HexBytes
from msgspec.structs import replace
from web3 import Web3

from ..codec import from_json, to_json
from ..errors import CodecError, ConfigError
from ..files import write_atomically
from ..records import Record


class PendingTransaction(Record, frozen=True):
    """One transaction: ``versions`` of it were signed (the last pays the most), of which one can be mined."""

    nonce: int
    what: bytes  # digest of receiver, data and value: a repetition of the same call has the same
    doing: str
    versions: list[bytes]
    time: int  # unix seconds: when it was sent, or first seen mined
    by: str = ""  # the process that waits for it
    block: int = 0  # where it was last seen mined
    taken: int = 0  # the chain's height when another transaction was first seen in its place

    @property
    def hashes(self) -> list[HexBytes]:
        """Of every version, the last first."""
        return [Web3.keccak(raw) for raw in reversed(self.versions)]

    def is_awaited(self) -> bool:
        """Whether somebody is waiting for it, who will tell what became of it."""
        if self.by == this_process():
            return self.versions[0] in _awaited
        pid, _, created = self.by.partition("@")
        try:
            return f"{psutil.Process(int(pid)).create_time():.0f}" == created
        except (psutil.Error, ValueError):
            return False


class Journal:
    """The transactions of one key on one chain, in a file or in this object. Safe across threads and processes."""

    def __init__(self, address: str, path: Path | None) -> None:
        self._path = path
        self._lock = _drawing.setdefault(address, threading.Lock())
        self._kept: list[PendingTransaction] = []

    @contextmanager
    def opened(self) -> Iterator[list[PendingTransaction]]:
        """The entries, to be changed in place; nobody else sends with the key meanwhile. Raises ConfigError."""
        with self._lock, self._file_lock():
            entries = self._read()
            try:
                yield entries
            finally:
                self.save(entries)

    def save(self, entries: list[PendingTransaction]) -> None:
        """Make what was changed so far outlive a crash."""
        self._kept = list(entries)
        if self._path is not None:
            write_atomically(self._path, to_json(entries).encode())

    def update(self, sent: PendingTransaction) -> None:
        """Replace an entry by its nonce."""
        with self.opened() as entries:
            entries[:] = [sent if entry.nonce == sent.nonce else entry for entry in entries]

    def abandon(self, sent: PendingTransaction) -> None:
        """Nobody waits for an entry any more: whoever makes its call next, here or in another process, takes it up."""
        with self.opened() as entries:
            release(sent)  # while nobody else can take it up, and hold it
            entries[:] = [replace(entry, by="") if entry.nonce == sent.nonce else entry for entry in entries]

    def forget(self, sent: PendingTransaction) -> None:
        """Drop an entry."""
        with self.opened() as entries:
            entries[:] = [entry for entry in entries if entry.nonce != sent.nonce]

    def _file_lock(self) -> FileLock | nullcontext[None]:
        if self._path is None:
            return nullcontext()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._path.with_suffix(".lock"))

    def _read(self) -> list[PendingTransaction]:
        if self._path is None or not self._path.exists():
            return list(self._kept) if self._path is None else []
        try:
            return from_json(self._path.read_bytes(), list[PendingTransaction])
        except (CodecError, OSError) as error:
            raise ConfigError(
                f"{self._path} is no record of transactions: {error}", hint="Look up what was sent, and delete it."
            ) from error


def hold(sent: PendingTransaction) -> None:
    """From now on somebody here waits for the transaction."""
    _awaited.add(sent.versions[0])


def release(sent: PendingTransaction) -> None:
    """Nobody here waits for it any more."""
    _awaited.discard(sent.versions[0])


def this_process() -> str:
    """Names this process for good: a pid alone is given again."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f}"


_drawing: dict[str, threading.Lock] = {}  # by address: two threads with one key must not draw the same nonce
_awaited: set[bytes] = set()
