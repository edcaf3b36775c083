"""What the index knows of each shard: one SQLite file, in step with the indexes beside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from weakref import finalize

import numpy as np
import numpy.typing as npt

from knet.codec import Cid
from knet.errors import StoreError

VERSION = 1
CID_BYTES = 36
PAIR = 2 * CID_BYTES
KEPT = 4096  # names of documents
_CACHE = 64 << 10  # KiB of pages kept while a million entries are sorted in
_BUSY = 30.0  # seconds

_SCHEMA = f"""
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE shards (
  id INTEGER PRIMARY KEY, cid BLOB UNIQUE NOT NULL, first INTEGER NOT NULL, alive BLOB NOT NULL,
  chunks BLOB NOT NULL, vectors BLOB NOT NULL, documents BLOB NOT NULL, levels BLOB NOT NULL
);
CREATE TABLE blocks (cid BLOB NOT NULL, shard INTEGER NOT NULL, PRIMARY KEY (cid, shard)) WITHOUT ROWID;
CREATE TABLE terms (term TEXT PRIMARY KEY, df INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""


class CatalogEntry(NamedTuple):
    """One shard. Its chunks have the numbers ``first`` and up; ``alive`` says which of them can be found.

    A shard that is only kept for the gateway has no numbers, and an empty ``alive``.
    """

    id: int
    first: int
    alive: npt.NDArray[np.bool_]
    chunks: Cid
    vectors: Cid

    @property
    def indexed(self) -> bool:
        return len(self.alive) > 0


class NewShard(NamedTuple):
    """A shard on its way into the catalog. ``levels`` is its Merkle tree, lowest level first, 32 bytes a node."""

    cid: Cid
    alive: npt.NDArray[np.bool_]
    chunks: Cid
    vectors: Cid
    documents: list[Cid]
    texts: list[Cid]  # one a document
    levels: bytes
    blocks: Iterable[Cid]  # all that the shard leads to, itself included


class Statistics(NamedTuple):
    """Of the live chunks: how many, their tokens in all, and the document frequency of some terms."""

    chunks: int
    length: int
    df: dict[str, int]


class Catalog:
    """The file, open. Any number of threads may use it; one process writes it at a time, under the index's lock."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises StoreError when it is damaged, or of another version."""
        self.path = path
        self.document = lru_cache(KEPT)(self._document)  # a search asks for each of its own several times
        self._lock = Lock()
        with self._translated():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY, check_same_thread=False)
            self.close = finalize(self, self._db.close)
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, VERSION):
                raise StoreError(f"{path} is an index of version {found}; this knet writes {VERSION}.")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE}")
            if not found:
                self._db.executescript(_SCHEMA)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} is damaged, or cannot be used: {error}.") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside happen, or none. Raises StoreError."""
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _query(self, sql: str, *values: Any) -> list[Any]:
        with self._translated(), self._lock:
            return self._db.execute(sql, values).fetchall()

    # --- shards ----------------------------------------------------------------------------------------------------

    def shards(self) -> dict[Cid, CatalogEntry]:
        """Every shard by its CID."""
        rows = self._query("SELECT cid, id, first, alive, chunks, vectors FROM shards ORDER BY id")
        return {
            Cid(cid): CatalogEntry(number, first, np.frombuffer(alive, np.bool_), Cid(chunks), Cid(vectors))
            for cid, number, first, alive, chunks, vectors in rows
        }

    def add(self, shard: NewShard) -> tuple[int, int]:
        """Note a shard, in the place of what was known of it; inside a `transaction`: its id and first number."""
        first = self.meta("numbers", 0)
        self.put_meta("numbers", first + len(shard.alive))
        pairs = zip(shard.documents, shard.texts, strict=True)
        documents = b"".join(document.raw + text.raw for document, text in pairs)
        values = (shard.cid.raw, first, shard.alive.tobytes(), shard.chunks.raw, shard.vectors.raw)
        self.drop([number for (number,) in self._query("SELECT id FROM shards WHERE cid = ?", shard.cid.raw)])
        number = self.meta("shards", 0) + 1  # never given twice
        self.put_meta("shards", number)
        sql = "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._db.execute(sql, (number, *values, documents, shard.levels))
        blocks = sorted({cid.raw for cid in shard.blocks})
        self._db.executemany("INSERT OR IGNORE INTO blocks VALUES (?, ?)", ((raw, number) for raw in blocks))
        return number, first

    def drop(self, ids: Collection[int]) -> None:
        """Forget shards; inside a `transaction`."""
        if ids:
            listed = ",".join(map(str, ids))
            self._db.execute(f"DELETE FROM shards WHERE id IN ({listed})")
            self._db.execute(f"DELETE FROM blocks WHERE shard IN ({listed})")

    def set_alive(self, number: int, alive: npt.NDArray[np.bool_]) -> None:
        """Say which chunks of a shard can be found; inside a `transaction`."""
        self._db.execute("UPDATE shards SET alive = ? WHERE id = ?", (alive.tobytes(), number))

    def levels(self, number: int) -> bytes:
        """The Merkle tree of a shard; empty when there is none."""
        rows = self._query("SELECT levels FROM shards WHERE id = ?", number)
        return bytes(rows[0][0]) if rows else b""

    def put_levels(self, number: int, levels: bytes) -> None:
        """Mend the Merkle tree of a shard."""
        with self._lock, self.transaction():
            self._db.execute("UPDATE shards SET levels = ? WHERE id = ?", (levels, number))

    def _document(self, number: int, index: int) -> tuple[Cid, Cid]:
        """One document of a shard, and its text. Raises StoreError when that is not there."""
        rows = self._query(f"SELECT substr(documents, ?, {PAIR}) FROM shards WHERE id = ?", PAIR * index + 1, number)
        if not rows or len(rows[0][0]) != PAIR:
            raise StoreError(f"{self.path} is damaged: it has no document {index} of shard {number}.")
        return Cid(rows[0][0][:CID_BYTES]), Cid(rows[0][0][CID_BYTES:])

    def documents(self, number: int) -> list[bytes]:
        """The CIDs of a shard's documents, as bytes."""
        rows = self._query("SELECT documents FROM shards WHERE id = ?", number)
        raw = bytes(rows[0][0]) if rows else b""
        return [raw[at : at + CID_BYTES] for at in range(0, len(raw), PAIR)]

    def shards_with(self, cid: Cid) -> list[int]:
        """The shards that lead to a block."""
        return [number for (number,) in self._query("SELECT shard FROM blocks WHERE cid = ?", cid.raw)]

    # --- words -----------------------------------------------------------------------------------------------------

    def count(self, df: Mapping[str, int], chunks: int, length: int) -> None:
        """Add to the statistics, or with negative numbers take from them; inside a `transaction`."""
        sql = "INSERT INTO terms VALUES (?, ?) ON CONFLICT (term) DO UPDATE SET df = df + excluded.df"
        self._db.executemany(sql, sorted((term, change) for term, change in df.items() if change))
        self.put_meta("chunks", self.meta("chunks", 0) + chunks)
        self.put_meta("length", self.meta("length", 0) + length)

    def statistics(self, terms: Collection[str]) -> Statistics:
        """What scores depend on; terms that no live chunk holds are left out."""
        listed = "SELECT value FROM json_each(?)"
        rows = self._query(f"SELECT term, df FROM terms WHERE df > 0 AND term IN ({listed})", json.dumps(list(terms)))
        return Statistics(self.meta("chunks", 0), self.meta("length", 0), dict(rows))

    # --- the rest --------------------------------------------------------------------------------------------------

    def meta(self, key: str, default: Any) -> Any:
        """A remembered value."""
        rows = self._query("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else default

    def put_meta(self, key: str, value: Any) -> None:
        """Remember a value; inside a `transaction`."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
