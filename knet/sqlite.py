"""SQLite databases on disk: write-ahead log, schema version, and errors translated to `StoreError`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import finalize

from .errors import StoreError
from .files import PRIVATE_FILE, make_folder

BUSY_TIMEOUT = 30.0  # seconds; another process holds the write lock for milliseconds, an index update for longer


class Database:
    """One SQLite file, open until `close` or until the object is collected.

    Any number of threads may call `query`; one thread at a time may be in a `transaction`. Other processes may use the
    same file.
    """

    def __init__(self, path: Path, schema: str, *, version: int, hint: str, durable: bool = False) -> None:
        """Open ``path``, or create it and its folder with ``schema``, whose statements use IF NOT EXISTS.

        ``durable``: a committed transaction survives a power cut, not only a crash of the process. ``hint`` is what the
        user can do about a damaged or unwritable file. Raises StoreError.
        """
        self.path = path
        self._hint = hint
        self._lock = Lock()
        try:
            make_folder(path.parent)
            if not path.exists():
                path.touch(PRIVATE_FILE)  # SQLite gives its other files the mode of this one
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be created: {error.strerror}.", hint=hint) from error
        with self._translated():
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT, check_same_thread=False)
            self.close = finalize(self, self.connection.close)
            found = self.connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, version):
                raise StoreError(
                    f"{path} has schema version {found}, and this version of knet reads {version}.", hint=hint
                )
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if not found:
                self.connection.executescript(f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {version}; COMMIT;")

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Return every row of one statement. Raises StoreError."""
        with self._translated(), self._lock:
            return self.connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit every change inside, or none of them. Raises StoreError."""
        with self._translated():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be used: {error}.", hint=self._hint) from error
