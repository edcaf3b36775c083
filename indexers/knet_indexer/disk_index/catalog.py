"""The catalog of a disk index: one SQLite file of its shards, blocks and term statistics."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from knet.codec import Cid
from knet.errors import StoreError
from knet.records import Shard
from knet.sqlite import Database

VERSION = 2  # 2: terms of the second analyser
CID_BYTES = 36
PAIR = 2 * CID_BYTES
CACHED_DOCUMENTS = 4096  # CIDs of documents and their texts
_CACHE = 64 << 10  # KiB of cached pages, for the insertion of a million sorted entries

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
  id INTEGER PRIMARY KEY, cid BLOB UNIQUE NOT NULL, first INTEGER NOT NULL, alive BLOB NOT NULL,
  chunks BLOB NOT NULL, vectors BLOB NOT NULL, documents BLOB NOT NULL, levels BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS blocks (cid BLOB NOT NULL, shard INTEGER NOT NULL, PRIMARY KEY (cid, shard)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS terms (term TEXT PRIMARY KEY, df INTEGER NOT NULL) WITHOUT ROWID
"""


class CatalogEntry(NamedTuple):
    """One shard. Its chunks are numbered from ``first``; ``alive`` marks those that a search may return.

    A shard that is kept for the gateway alone has no numbers and an empty ``alive``.
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
    """A shard to add to the catalog. ``levels`` is its Merkle tree, lowest level first, 32 bytes a node."""

    cid: Cid
    record: Shard
    alive: npt.NDArray[np.bool_]
    texts: list[Cid]  # one for each document
    levels: bytes


class Statistics(NamedTuple):
    """Statistics of the live chunks: their number, their total tokens, the document frequency of some terms."""

    chunks: int
    length: int
    df: dict[str, int]


class Catalog(Database):
    """A catalog, open. Any number of threads may use it; one process writes it at a time, under the index's lock."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises StoreError when it is damaged, or of another version."""
        super().__init__(path, _SCHEMA, version=VERSION, hint="Delete the index: it is built again from the blocks.")
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        self.document = lru_cache(CACHED_DOCUMENTS)(self._document)  # a search asks for each several times

    # --- shards ----------------------------------------------------------------------------------------------------

    def shards(self) -> dict[Cid, CatalogEntry]:
        """Return every shard by its CID."""
        rows = self.query("SELECT cid, id, first, alive, chunks, vectors FROM shards ORDER BY id")
        return {
            Cid(cid): CatalogEntry(number, first, np.frombuffer(alive, np.bool_), Cid(chunks), Cid(vectors))
            for cid, number, first, alive, chunks, vectors in rows
        }

    def add(self, shard: NewShard) -> tuple[int, int]:
        """Add or replace a shard and return its id and first number; inside a `transaction`."""
        first = self.meta("numbers", 0)
        self.put_meta("numbers", first + len(shard.alive))
        record = shard.record
        pairs = zip(record.documents, shard.texts, strict=True)
        documents = b"".join(document.raw + text.raw for document, text in pairs)
        values = (shard.cid.raw, first, shard.alive.tobytes(), record.chunks.raw, record.vectors.raw)
        self.drop([number for (number,) in self.query("SELECT id FROM shards WHERE cid = ?", shard.cid.raw)])
        number = self.meta("shards", 0) + 1  # ids are never reused
        self.put_meta("shards", number)
        sql = "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self.connection.execute(sql, (number, *values, documents, shard.levels))
        blocks = [shard.cid, record.space, record.chunks, record.vectors, record.lexical]
        rows = sorted({(cid.raw, number) for cid in (*blocks, *record.documents, *shard.texts)})
        self.connection.executemany("INSERT OR IGNORE INTO blocks VALUES (?, ?)", rows)
        return number, first

    def drop(self, ids: Collection[int]) -> None:
        """Delete shards; inside a `transaction`."""
        if ids:
            listed = ",".join(map(str, ids))
            self.connection.execute(f"DELETE FROM shards WHERE id IN ({listed})")  # noqa: S608  only constants and numbers are inserted
            self.connection.execute(f"DELETE FROM blocks WHERE shard IN ({listed})")  # noqa: S608  only constants and numbers are inserted

    def set_alive(self, number: int, alive: npt.NDArray[np.bool_]) -> None:
        """Set which chunks of a shard a search may return; inside a `transaction`."""
        self.connection.execute("UPDATE shards SET alive = ? WHERE id = ?", (alive.tobytes(), number))

    def levels(self, number: int) -> bytes:
        """Return the Merkle tree of a shard, empty when there is none."""
        rows = self.query("SELECT levels FROM shards WHERE id = ?", number)
        return bytes(rows[0][0]) if rows else b""

    def put_levels(self, number: int, levels: bytes) -> None:
        """Replace the Merkle tree of a shard."""
        with self._lock, self.transaction() as db:
            db.execute("UPDATE shards SET levels = ? WHERE id = ?", (levels, number))

    def _document(self, number: int, index: int) -> tuple[Cid, Cid]:
        """Return the CIDs of one document of a shard and of its text. Raises StoreError when it is missing."""
        rows = self.query(f"SELECT substr(documents, ?, {PAIR}) FROM shards WHERE id = ?", PAIR * index + 1, number)  # noqa: S608  only constants and numbers are inserted
        if not rows or len(rows[0][0]) != PAIR:
            raise StoreError(f"{self.path} is damaged: document {index} of shard {number} is missing.")
        return Cid(rows[0][0][:CID_BYTES]), Cid(rows[0][0][CID_BYTES:])

    def documents(self, number: int) -> list[bytes]:
        """Return the CIDs of a shard's documents, as bytes."""
        rows = self.query("SELECT documents FROM shards WHERE id = ?", number)
        raw = bytes(rows[0][0]) if rows else b""
        return [raw[at : at + CID_BYTES] for at in range(0, len(raw), PAIR)]

    def shards_with(self, cid: Cid) -> list[int]:
        """Return the ids of the shards from which a block is reachable."""
        return [number for (number,) in self.query("SELECT shard FROM blocks WHERE cid = ?", cid.raw)]

    # --- terms -------------------------------------------------------------------------------------------------------

    def count(self, df: Mapping[str, int], chunks: int, length: int) -> None:
        """Add to the statistics, or subtract with negative numbers; inside a `transaction`."""
        sql = "INSERT INTO terms VALUES (?, ?) ON CONFLICT (term) DO UPDATE SET df = df + excluded.df"
        self.connection.executemany(sql, sorted((term, change) for term, change in df.items() if change))
        self.put_meta("chunks", self.meta("chunks", 0) + chunks)
        self.put_meta("length", self.meta("length", 0) + length)

    def statistics(self, terms: Collection[str]) -> Statistics:
        """Return the statistics that scores depend on, without terms that no live chunk holds."""
        listed = "SELECT value FROM json_each(?)"
        rows = self.query(f"SELECT term, df FROM terms WHERE df > 0 AND term IN ({listed})", json.dumps(list(terms)))  # noqa: S608  only constants and numbers are inserted
        return Statistics(self.meta("chunks", 0), self.meta("length", 0), dict(rows))

    # --- settings ----------------------------------------------------------------------------------------------------

    def meta(self, key: str, default: Any) -> Any:
        """Return a setting."""
        rows = self.query("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else default

    def put_meta(self, key: str, value: Any) -> None:
        """Store a setting; inside a `transaction`."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
