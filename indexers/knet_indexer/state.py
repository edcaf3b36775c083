"""What a node remembers between runs: one SQLite file (WAL) that a killed process cannot leave half written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from knet.codec import Cid, decode, encode
from knet.errors import IndexerError
from knet.records import Document, Record

VERSION = 1
_VARIABLES = 500  # SQLite's oldest limit on "?" in one statement is 999
_PAGE = 500  # documents read at once: a node may have a million
_BUSY = 10.0  # seconds; another process holds the write lock for milliseconds

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
  uri TEXT PRIMARY KEY, source TEXT NOT NULL, fingerprint TEXT NOT NULL,
  space BLOB NOT NULL, reason TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY, item TEXT NOT NULL REFERENCES items(uri) ON DELETE CASCADE,
  cid BLOB NOT NULL, block BLOB NOT NULL, text BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_by_item ON documents(item);
CREATE TABLE IF NOT EXISTS chunks (
  document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
  start INTEGER NOT NULL, stop INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (document, start, stop)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS embeddings (space BLOB NOT NULL, digest BLOB NOT NULL, vector BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS embeddings_by_text ON embeddings(space, digest);
CREATE TABLE IF NOT EXISTS manifests (
  id INTEGER PRIMARY KEY AUTOINCREMENT, network TEXT NOT NULL, node INTEGER NOT NULL, sequence INTEGER NOT NULL,
  cid BLOB NOT NULL, published INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS changes (
  manifest INTEGER NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  added INTEGER NOT NULL, uri TEXT NOT NULL, cid BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_by_manifest ON changes(manifest);
PRAGMA user_version = {VERSION};
COMMIT;
"""


class ItemRow(Record, frozen=True):
    """One item of a source as it was last read. ``reason`` is empty unless the item was skipped."""

    uri: str
    source: str
    fingerprint: str
    space: bytes  # the CID of the space its chunks are embedded in
    reason: str = ""


class ChunkRow(Record, frozen=True):
    """One chunk: offsets into the document's canonical text, and the sha2-256 of its UTF-8."""

    start: int
    end: int
    digest: bytes


class DocumentRow(Record, frozen=True):
    """One document (an item, or a part of a long one) and its chunks in order."""

    cid: Cid
    document: Document
    chunks: list[ChunkRow]


class State:
    """A node's SQLite file. One object serves one thread; any number of processes may read while one writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise IndexerError(f"{path} cannot be opened: {error}.") from error

    def _prepare(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, VERSION):
            raise IndexerError(
                f"{self.path} was written by another version of knet (schema {found}, this one reads {VERSION}).",
                hint="Delete it and run `knet node sync` to index again.",
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        if not found:
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen, or none. Raises IndexerError when the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise IndexerError(f"{self.path} cannot be written: {error}.") from error

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Every row of one statement."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise IndexerError(f"{self.path} cannot be read: {error}.") from error

    def execute(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row; inside a `transaction`."""
        self._db.executemany(sql, rows)

    def insert(self, sql: str, *values: Any) -> int:
        """Insert one row; inside a `transaction`. Its row id."""
        return self._db.execute(sql, values).lastrowid or 0

    # --- settings --------------------------------------------------------------------------------------------------

    def meta(self, key: str) -> bytes:
        """A remembered value, or ``b""``."""
        rows = self.query("SELECT value FROM meta WHERE key = ?", key)
        return bytes(rows[0][0]) if rows else b""

    def put_meta(self, key: str, value: bytes) -> None:
        """Remember a value; inside a `transaction`."""
        self.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, value)])

    # --- items and their documents ---------------------------------------------------------------------------------

    def items(self) -> dict[str, ItemRow]:
        """Every item by uri."""
        rows = self.query("SELECT uri, source, fingerprint, space, reason FROM items")
        return {
            uri: ItemRow(uri=uri, source=source, fingerprint=fingerprint, space=space, reason=reason)
            for uri, source, fingerprint, space, reason in rows
        }

    def spaces(self) -> set[Cid]:
        """The spaces that items with documents are embedded in: one, unless a change of model was cut off."""
        return {Cid(row[0]) for row in self.query("SELECT DISTINCT space FROM items WHERE reason = ''")}

    def replace(self, row: ItemRow, documents: Iterable[DocumentRow] = ()) -> None:
        """Put an item and its documents in the place of what was there; inside a `transaction`."""
        self.execute("DELETE FROM items WHERE uri = ?", [(row.uri,)])
        values = (row.uri, row.source, row.fingerprint, row.space, row.reason)
        self.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?)", [values])
        for entry in documents:
            sql = "INSERT INTO documents (item, cid, block, text) VALUES (?, ?, ?, ?)"
            number = self.insert(sql, row.uri, entry.cid.raw, encode(entry.document), entry.document.text.raw)
            rows = [(number, chunk.start, chunk.end, chunk.digest) for chunk in entry.chunks]
            self.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", rows)

    def remove(self, uris: Iterable[str]) -> None:
        """Forget items, their documents and chunks; inside a `transaction`."""
        self.execute("DELETE FROM items WHERE uri = ?", [(uri,) for uri in uris])

    def documents(self, item: str | None = None) -> Iterator[DocumentRow]:
        """Every document (of one item, when given) with its chunks, in a stable order; read a page at a time."""
        where, values = ("item = ? AND", (item,)) if item is not None else ("", ())
        pages = f"SELECT id, cid, block FROM documents WHERE {where} id > ? ORDER BY id LIMIT {_PAGE}"
        chunks = "SELECT start, stop, digest FROM chunks WHERE document = ? ORDER BY start, stop"
        last = 0
        while page := self.query(pages, *values, last):
            for last, cid, block in page:
                yield DocumentRow(
                    cid=Cid(cid),
                    document=decode(block, Document),
                    chunks=[ChunkRow(start=a, end=b, digest=digest) for a, b, digest in self.query(chunks, last)],
                )

    def texts(self) -> Iterator[tuple[str, Cid]]:
        """Each item with the block of its text, or of each part of it; read a page at a time."""
        sql = f"SELECT id, item, text FROM documents WHERE id > ? ORDER BY id LIMIT {_PAGE}"
        last = 0
        while page := self.query(sql, last):
            yield from ((item, Cid(text)) for _, item, text in page)
            last = page[-1][0]

    def counts(self) -> tuple[int, int]:
        """Documents and chunks."""
        documents = self.query("SELECT count(*) FROM documents")[0][0]
        return documents, self.query("SELECT count(*) FROM chunks")[0][0]

    # --- embeddings ------------------------------------------------------------------------------------------------

    def vectors(self, space: Cid, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored vectors of those texts that were embedded in this space."""
        found: dict[bytes, bytes] = {}
        for first in range(0, len(digests), _VARIABLES):
            some = digests[first : first + _VARIABLES]
            marks = ",".join("?" * len(some))
            sql = f"SELECT digest, vector FROM embeddings WHERE space = ? AND digest IN ({marks})"
            found.update(self.query(sql, space.raw, *some))
        return found

    def add_vectors(self, space: Cid, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep (digest of the text, vector) pairs of one space."""
        with self.transaction():
            rows = ((space.raw, digest, vector) for digest, vector in vectors)
            self.execute("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows)

    def drop_unused_vectors(self, space: Cid) -> int:
        """Forget vectors of other spaces and of texts no chunk holds: how many."""
        with self.transaction():
            sql = "DELETE FROM embeddings WHERE space != ? OR digest NOT IN (SELECT digest FROM chunks)"
            return self._db.execute(sql, (space.raw,)).rowcount
