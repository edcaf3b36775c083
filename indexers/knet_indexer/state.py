"""The node's state between runs: one SQLite file of items, documents, chunks, embeddings and manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from knet.codec import Cid, decode, encode
from knet.records import Document, Record
from knet.sqlite import Database

from .sources.notes import Note

VERSION = 1
_VARIABLES = 500  # SQLite's oldest limit on "?" in one statement is 999
_PAGE = 500  # documents read at once: a node may have a million

_SCHEMA = """
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
CREATE INDEX IF NOT EXISTS changes_by_manifest ON changes(manifest)
"""
# added to files of the same version: earlier releases ignore them
_ADDED = (
    "CREATE TABLE IF NOT EXISTS withdrawn (document BLOB PRIMARY KEY, text BLOB NOT NULL, since INTEGER NOT NULL,"
    " forgotten INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS notes (item TEXT NOT NULL REFERENCES items(uri) ON DELETE CASCADE, kind TEXT NOT NULL,"
    " count INTEGER NOT NULL, detail TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS notes_by_item ON notes(item)",
)


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


class State(Database):
    """A node's SQLite file. One object serves one thread; any number of processes may read while one writes."""

    def __init__(self, path: Path) -> None:
        hint = "Delete it and run `knet node sync` to index again."
        super().__init__(path, _SCHEMA, version=VERSION, hint=hint, durable=True)
        with self._translated():
            self.connection.execute("PRAGMA foreign_keys = ON")
            self.connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten: they may hold titles
            for statement in _ADDED:
                self.connection.execute(statement)

    # --- settings --------------------------------------------------------------------------------------------------

    def meta(self, key: str) -> bytes:
        """Return a setting, or ``b""`` when there is none."""
        rows = self.query("SELECT value FROM meta WHERE key = ?", key)
        return bytes(rows[0][0]) if rows else b""

    def put_meta(self, key: str, value: bytes) -> None:
        """Store a setting, at once or with the `transaction` in progress."""
        with self._translated():
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def metas(self, prefix: str) -> dict[str, bytes]:
        """Return the settings whose keys begin with ``prefix``."""
        rows = self.query("SELECT key, value FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix)
        return {key: bytes(value) for key, value in rows}

    def drop_meta(self, key: str) -> None:
        """Delete a setting, at once or with the `transaction` in progress."""
        with self._translated():
            self.connection.execute("DELETE FROM meta WHERE key = ?", (key,))

    def purge_file(self) -> None:
        """Move all changes from the write-ahead log into the file, so that neither holds deleted rows."""
        with self._translated():
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # --- items and their documents ---------------------------------------------------------------------------------

    def items(self) -> dict[str, ItemRow]:
        """Return every item by uri."""
        rows = self.query("SELECT uri, source, fingerprint, space, reason FROM items")
        return {
            uri: ItemRow(uri=uri, source=source, fingerprint=fingerprint, space=space, reason=reason)
            for uri, source, fingerprint, space, reason in rows
        }

    def spaces(self) -> set[Cid]:
        """Return the spaces of all indexed items: one, unless a change of model was interrupted."""
        return {Cid(row[0]) for row in self.query("SELECT DISTINCT space FROM items WHERE reason = ''")}

    def replace(self, row: ItemRow, documents: Iterable[DocumentRow] = (), notes: Iterable[Note] = ()) -> None:
        """Replace an item, its documents and the notes on its reading; inside a `transaction`."""
        self.remove([row.uri])
        values = (row.uri, row.source, row.fingerprint, row.space, row.reason)
        self.connection.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?)", values)
        for entry in documents:
            sql = "INSERT INTO documents (item, cid, block, text) VALUES (?, ?, ?, ?)"
            document = (row.uri, entry.cid.raw, encode(entry.document), entry.document.text.raw)
            number = self.connection.execute(sql, document).lastrowid
            rows = [(number, chunk.start, chunk.end, chunk.digest) for chunk in entry.chunks]
            self.connection.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?)", rows)
        listed = [(row.uri, note.kind, note.count, note.detail) for note in notes]
        self.connection.executemany("INSERT INTO notes VALUES (?, ?, ?, ?)", listed)

    def remove(self, uris: Iterable[str]) -> None:
        """Delete items, their documents and chunks; inside a `transaction`."""
        self.connection.executemany("DELETE FROM items WHERE uri = ?", [(uri,) for uri in uris])

    def documents(self, item: str | None = None) -> Iterator[DocumentRow]:
        """Yield every document (of one item, when given) with its chunks, in a stable order, a page at a time."""
        where, values = ("item = ? AND", (item,)) if item is not None else ("", ())
        pages = f"SELECT id, cid, block FROM documents WHERE {where} id > ? ORDER BY id LIMIT {_PAGE}"  # noqa: S608  only constants and numbers are inserted
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
        """Yield each item's uri with the CID of its text, once for each part of a long one, a page at a time."""
        sql = f"SELECT id, item, text FROM documents WHERE id > ? ORDER BY id LIMIT {_PAGE}"  # noqa: S608  only constants and numbers are inserted
        last = 0
        while page := self.query(sql, last):
            yield from ((item, Cid(text)) for _, item, text in page)
            last = page[-1][0]

    def notes(self) -> list[tuple[str, Note]]:
        """Return each item's uri with the notes on its reading."""
        rows = self.query("SELECT item, kind, count, detail FROM notes ORDER BY item, rowid")
        return [(item, Note(kind=kind, count=count, detail=detail)) for item, kind, count, detail in rows]

    def counts(self) -> tuple[int, int]:
        """Return the numbers of documents and of chunks."""
        documents = self.query("SELECT count(*) FROM documents")[0][0]
        return documents, self.query("SELECT count(*) FROM chunks")[0][0]

    # --- embeddings ------------------------------------------------------------------------------------------------

    def vectors(self, space: Cid, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the stored vectors of those texts that were embedded in this space, by digest."""
        found: dict[bytes, bytes] = {}
        for first in range(0, len(digests), _VARIABLES):
            some = digests[first : first + _VARIABLES]
            marks = ",".join("?" * len(some))
            sql = f"SELECT digest, vector FROM embeddings WHERE space = ? AND digest IN ({marks})"  # noqa: S608  only constants and numbers are inserted
            found.update(self.query(sql, space.raw, *some))
        return found

    def add_vectors(self, space: Cid, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Store (digest of the text, vector) pairs of one space."""
        with self.transaction() as db:
            rows = ((space.raw, digest, vector) for digest, vector in vectors)
            db.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", rows)

    def drop_unused_vectors(self, space: Cid) -> int:
        """Delete vectors of other spaces and of texts that no chunk holds, and return their number."""
        with self.transaction() as db:
            sql = "DELETE FROM embeddings WHERE space != ? OR digest NOT IN (SELECT digest FROM chunks)"
            return db.execute(sql, (space.raw,)).rowcount
