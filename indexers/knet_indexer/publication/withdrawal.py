"""Withdrawal of removed documents: after a grace time, no block, manifest or pin of the node holds their text.

A removed document first gets tombstones, and its blocks stay for readers of the version before. When the grace time of
the node's settings is over, or at once for a document that its owner forgets, publication rewrites the shards that list
it, and deletes each block that the head does not need.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from knet.codec import Cid
from knet.content.base import BlockSource, get_record
from knet.errors import BlockNotFound, BlockTampered, CodecError
from knet.records import Document, Manifest, Shard, ShardRef

from ..node import Node
from ..state import State
from .compaction import document_placements
from .gc import delete_unneeded

HOUR = 3600
PINS_DUE = "pins due "  # prefix of a setting for each recorded pin that still holds withdrawn text


class Due(NamedTuple):
    """Documents whose text must go now. ``forgotten``: the owner withdrew at least one of them."""

    documents: frozenset[Cid]
    forgotten: bool


def find_due(node: Node, state: State, base: Manifest | None) -> Due:
    """Return the removed documents whose grace time is over, and those that the owner forgets.

    Documents that ``base``, the last manifest, lists without indexing them are recorded; their grace time begins now.
    """
    now = int(time.time())
    listed = {cid for ref in base.shards for cid in documents_of(node.store, ref)} if base else set()
    live = indexed_documents(state)
    known = {Cid(row[0]) for row in state.query("SELECT document FROM withdrawn")}
    removed = [(cid, _text(node.store, cid)) for cid in listed - live - known]
    with state.transaction() as db:
        db.execute("DELETE FROM withdrawn WHERE document IN (SELECT cid FROM documents)")  # restored
        db.executemany("INSERT INTO withdrawn VALUES (?, ?, ?, 0)", [(cid.raw, text, now) for cid, text in removed])
    return due_documents(node, state)


def due_documents(node: Node, state: State) -> Due:
    """Return the recorded documents whose grace time is over, and those that the owner forgets."""
    limit = int(time.time()) - int(node.config.grace * HOUR)
    rows = state.query("SELECT document, forgotten FROM withdrawn WHERE forgotten OR since <= ?", limit)
    return Due(frozenset(Cid(document) for document, _ in rows), any(forgotten for _, forgotten in rows))


def indexed_documents(state: State) -> set[Cid]:
    """Return the documents in the index that hold passages."""
    sql = "SELECT DISTINCT cid FROM documents WHERE EXISTS (SELECT 1 FROM chunks WHERE document = documents.id)"
    return {Cid(row[0]) for row in state.query(sql)}


def published_documents(source: BlockSource, manifest: Manifest) -> set[Cid]:
    """Return the documents of a manifest with live chunks. Raises as `document_placements`."""
    return set(document_placements(source, manifest))


def forget_documents(state: State, documents: Iterable[tuple[Cid, Cid]]) -> None:
    """Record documents, with the CIDs of their texts, that are withdrawn at once; inside a `transaction`."""
    sql = (
        "INSERT INTO withdrawn VALUES (?, ?, ?, 1)"
        " ON CONFLICT (document) DO UPDATE SET text = excluded.text, forgotten = 1"
    )
    now = int(time.time())
    state.connection.executemany(sql, [(document.raw, text.raw, now) for document, text in documents])


def withheld_blocks(state: State) -> frozenset[Cid]:
    """Return forgotten documents and their texts, which the node does not serve while a manifest still names them."""
    rows = state.query(
        "SELECT document FROM withdrawn WHERE forgotten UNION"
        " SELECT text FROM withdrawn WHERE forgotten AND text != x'' AND text NOT IN (SELECT text FROM documents)"
    )
    return frozenset(Cid(row[0]) for row in rows)


def withdraw(node: Node, state: State, documents: Collection[Cid]) -> None:
    """Delete the blocks of documents that the head does not list any more, and mark the recorded pins as due."""
    delete_unneeded(node, state, documents)
    state.purge_file()
    with state.transaction() as db:
        for key in state.metas("pinned"):
            state.put_meta(PINS_DUE + key, b"1")
        db.executemany("DELETE FROM withdrawn WHERE document = ?", [(cid.raw,) for cid in documents])


def documents_of(source: BlockSource, ref: ShardRef) -> list[Cid]:
    """Return the documents of a shard; none when its block was lost. Raises StoreError."""
    with suppress(BlockNotFound, BlockTampered, CodecError):
        return get_record(source, ref.shard, Shard).documents
    return []


def shards_listing(source: BlockSource, refs: Sequence[ShardRef], documents: Collection[Cid]) -> set[int]:
    """Return the numbers of the shards that list one of these documents, tombstoned or not."""
    if not documents:
        return set()
    wanted = frozenset(documents)
    return {number for number, ref in enumerate(refs) if not wanted.isdisjoint(documents_of(source, ref))}


def _text(source: BlockSource, document: Cid) -> bytes:
    with suppress(BlockNotFound, BlockTampered, CodecError):
        return get_record(source, document, Document).text.raw
    return b""
