"""The manifests a node made: which one stands, which one is on its way to the chain, and what each changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from knet.codec import Cid
from knet.records import Record

from ..state import State

GRACE_MANIFESTS = 2  # blocks of the head and of the one before it are served: clients may still hold its receipts


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
    """The newest manifests published on a network, or on any, newest first."""
    where = "published AND (?1 = '' OR network = ?1) ORDER BY id DESC LIMIT ?2"
    return _entries(state.query(f"{_COLUMNS} WHERE {where}", network, count))


def head(state: State, network: str = "") -> LoggedManifest | None:
    """The manifest that stands on a network, or the last one published anywhere."""
    return next(iter(latest(state, network)), None)


def confirm(state: State, manifest: Cid) -> None:
    """The chain has this manifest: if it was sent but not seen to arrive, it stands from now on."""
    with state.transaction():
        state.execute("UPDATE manifests SET published = 1 WHERE cid = ?", [(manifest.raw,)])


def since(state: State, of: LoggedManifest, sequence: int) -> list[LoggedManifest]:
    """Published manifests of one node with a higher sequence number, oldest first."""
    where = "published AND network = ? AND node = ? AND sequence > ? ORDER BY id"
    return _entries(state.query(f"{_COLUMNS} WHERE {where}", of.network, of.node, sequence))


def changes(state: State, of: LoggedManifest, sequence: int, skip: int, count: int) -> list[Change]:
    """What the manifests of one node with a higher sequence number, up to ``of``, changed: oldest first, as written."""
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
    state: State,
    *,
    network: str,
    node: int,
    sequence: int,
    manifest: Cid,
    added: Iterable[DocumentEntry],
    removed: Iterable[DocumentEntry],
) -> int:
    """Note a manifest that is about to be sent: its id."""
    with state.transaction():
        sql = "INSERT INTO manifests (network, node, sequence, cid) VALUES (?, ?, ?, ?)"
        number = state.insert(sql, network, node, sequence, manifest.raw)
        rows = [(number, False, uri, cid.raw) for uri, cid in removed]
        rows += [(number, True, uri, cid.raw) for uri, cid in added]
        state.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", rows)
    return number


def finish(state: State, number: int) -> None:
    """The chain has the manifest: it stands from now on, and what never arrived is forgotten."""
    with state.transaction():
        state.execute("UPDATE manifests SET published = 1 WHERE id = ?", [(number,)])
        state.execute("DELETE FROM manifests WHERE NOT published", [()])
