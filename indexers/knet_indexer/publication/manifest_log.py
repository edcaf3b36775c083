"""Log of the manifests a node made: the published head, the manifest being sent to the chain, and their changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from knet.codec import Cid, cid_of
from knet.records import Manifest, Record

from ..state import State

GRACE_MANIFESTS = 2  # the head and the one before it are served: clients may still hold receipts of the latter


class LoggedManifest(Record, frozen=True):
    """One manifest of this node. ``network`` is chain id and identity registry; ``id`` counts up over all networks."""

    id: int
    network: str
    node: int
    sequence: int
    manifest: Cid
    published: bool


class Change(Record, frozen=True):
    """One document that a manifest added or removed."""

    sequence: int
    change: str  # "added" | "removed"
    uri: str
    document: Cid


DocumentEntry = tuple[str, Cid]  # uri and document

_COLUMNS = "SELECT id, network, node, sequence, cid, published FROM manifests"


def _entries(rows: Iterable[tuple[Any, ...]]) -> list[LoggedManifest]:
    return [
        LoggedManifest(
            id=row[0], network=row[1], node=row[2], sequence=row[3], manifest=Cid(row[4]), published=bool(row[5])
        )
        for row in rows
    ]


def latest(state: State, network: str = "", count: int = 1) -> list[LoggedManifest]:
    """Return the newest manifests published on a network, or on any, newest first."""
    where = "published AND (?1 = '' OR network = ?1) ORDER BY id DESC LIMIT ?2"
    return _entries(state.query(f"{_COLUMNS} WHERE {where}", network, count))


def served(state: State) -> list[LoggedManifest]:
    """Return the newest `GRACE_MANIFESTS` of each network, newest first: those that the node serves there."""
    networks = [network for (network,) in state.query("SELECT DISTINCT network FROM manifests WHERE published")]
    return [entry for network in networks for entry in latest(state, network, GRACE_MANIFESTS)]


def head(state: State, network: str = "") -> LoggedManifest | None:
    """Return the newest manifest published on a network, or on any."""
    return next(iter(latest(state, network)), None)


def confirm(state: State, manifest: Cid) -> None:
    """Mark a manifest as published that was found on chain, although its transaction was not seen to succeed."""
    with state.transaction() as db:
        db.execute("UPDATE manifests SET published = 1 WHERE cid = ?", (manifest.raw,))


def since(state: State, of: LoggedManifest, sequence: int) -> list[LoggedManifest]:
    """Return the published manifests of one node with a higher sequence number, oldest first."""
    where = "published AND network = ? AND node = ? AND sequence > ? ORDER BY id"
    return _entries(state.query(f"{_COLUMNS} WHERE {where}", of.network, of.node, sequence))


def changes(state: State, of: LoggedManifest, sequence: int, skip: int, count: int) -> list[Change]:
    """Return ``count`` document changes of one node after manifest ``sequence`` and up to ``of``, oldest first, from
    ``skip``.
    """
    sql = (
        "SELECT sequence, added, uri, changes.cid FROM changes JOIN manifests ON manifest = id"
        " WHERE published AND network = ? AND node = ? AND sequence > ? AND id <= ?"
        " ORDER BY id, changes.rowid LIMIT ? OFFSET ?"
    )
    return [
        Change(sequence=number, change="added" if added else "removed", uri=uri, document=Cid(cid))
        for number, added, uri, cid in state.query(sql, of.network, of.node, sequence, of.id, count, skip)
    ]


def begin(
    state: State, network: str, manifest: Manifest, added: Iterable[DocumentEntry], removed: Iterable[DocumentEntry]
) -> int:
    """Log a manifest that is about to be sent, and return its id."""
    with state.transaction() as db:
        sql = "INSERT INTO manifests (network, node, sequence, cid) VALUES (?, ?, ?, ?)"
        number = db.execute(sql, (network, manifest.node, manifest.sequence, cid_of(manifest).raw)).lastrowid or 0
        rows = [(number, False, uri, cid.raw) for uri, cid in removed]
        rows += [(number, True, uri, cid.raw) for uri, cid in added]
        db.executemany("INSERT INTO changes VALUES (?, ?, ?, ?)", rows)
    return number


def finish(state: State, number: int) -> None:
    """Mark a logged manifest as published, and delete the manifests that never reached the chain."""
    with state.transaction() as db:
        db.execute("UPDATE manifests SET published = 1 WHERE id = ?", (number,))
        db.execute("DELETE FROM manifests WHERE NOT published")
