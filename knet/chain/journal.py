"""Journal of the unconfirmed transactions of one key on one chain, each recorded before it is sent.

After a dropped connection, a crash or a reorganisation, the next sender with the key looks up the recorded transactions
and sends the same signed bytes again instead of a second transaction.
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
from ..files import make_folder, write_atomically
from ..records import Record


class PendingTransaction(Record, frozen=True, rename={"call_digest": "what", "description": "doing"}):
    """One transaction in signed ``versions``, of which one can be mined; the last pays the most."""

    nonce: int
    call_digest: bytes  # of receiver, data and value: the same for a repetition of the same call
    description: str
    versions: list[bytes]
    time: int  # unix seconds: sent, or first seen mined
    by: str = ""  # the process that waits for it
    block: int = 0  # in which it was last seen mined
    taken: int = 0  # the chain's height when another transaction with its nonce was first seen

    @property
    def hashes(self) -> list[HexBytes]:
        """Hash of every version, the last first."""
        return [Web3.keccak(raw) for raw in reversed(self.versions)]

    def is_awaited(self) -> bool:
        """Return True while a thread here, or a process that still lives, waits for the transaction."""
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
        self._lock = _nonce_locks.setdefault(address, threading.Lock())
        self._kept: list[PendingTransaction] = []

    @contextmanager
    def opened(self) -> Iterator[list[PendingTransaction]]:
        """Yield the entries, to be changed in place; no other sender uses the key meanwhile. Raises ConfigError."""
        with self._lock, self._file_lock():
            entries = self._read()
            try:
                yield entries
            finally:
                self.save(entries)

    def save(self, entries: list[PendingTransaction]) -> None:
        """Write the entries, so that they survive a crash."""
        self._kept = list(entries)
        if self._path is not None:
            write_atomically(self._path, to_json(entries).encode())

    def update(self, pending: PendingTransaction) -> None:
        """Replace the entry with this nonce."""
        with self.opened() as entries:
            entries[:] = [pending if entry.nonce == pending.nonce else entry for entry in entries]

    def abandon(self, pending: PendingTransaction) -> None:
        """Stop waiting for an entry: the next sender of the same call, here or in another process, resumes it."""
        with self.opened() as entries:
            release(pending)  # under the lock, so that no other sender resumes and holds it first
            entries[:] = [replace(entry, by="") if entry.nonce == pending.nonce else entry for entry in entries]

    def forget(self, pending: PendingTransaction) -> None:
        """Remove the entry with this nonce."""
        with self.opened() as entries:
            entries[:] = [entry for entry in entries if entry.nonce != pending.nonce]

    def _file_lock(self) -> FileLock | nullcontext[None]:
        if self._path is None:
            return nullcontext()
        make_folder(self._path.parent)
        return FileLock(self._path.with_suffix(".lock"), mode=0o600)

    def _read(self) -> list[PendingTransaction]:
        if self._path is None or not self._path.exists():
            return list(self._kept) if self._path is None else []
        try:
            return from_json(self._path.read_bytes(), list[PendingTransaction])
        except (CodecError, OSError) as error:
            raise ConfigError(
                f"{self._path}: the file is not a valid journal of transactions: {error}",
                hint="Look up what was sent, and delete the file.",
            ) from error


def hold(pending: PendingTransaction) -> None:
    """Mark a transaction as awaited by this process."""
    _awaited.add(pending.versions[0])


def release(pending: PendingTransaction) -> None:
    """Unmark a transaction as awaited by this process."""
    _awaited.discard(pending.versions[0])


def this_process() -> str:
    """Return a unique name of this process; pids are reused."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f}"


_nonce_locks: dict[str, threading.Lock] = {}  # by address: two threads with one key must not draw the same nonce
_awaited: set[bytes] = set()
