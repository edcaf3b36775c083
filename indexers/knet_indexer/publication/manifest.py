"""Draft of a node's next manifest: its shards, tombstones and card, written to the block store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from knet.codec import MAX_DESCRIPTION, MAX_LANGUAGES, MAX_LICENCE, MAX_NAME, MAX_TITLE, Cid, cid_of, decode
from knet.content.base import get_record, put_record
from knet.errors import BlockNotFound, BlockTampered, CodecError, IndexerError, NotIncluded
from knet.index.card import Batch, make_card, revise_card
from knet.index.card_format import has_current_terms
from knet.index.shard import Chunk, read_shard, write_shards
from knet.records import VECTOR_DTYPE, Card, Document, Head, Manifest, ShardRef, Space

from ..disk_index import uses_disk_index
from ..node import Node, Progress
from ..state import DocumentRow, State
from .compaction import ChunkRange, DocumentPlacement, document_placements, needs_compaction, tombstone
from .first_published import dated, with_earlier
from .manifest_log import DocumentEntry

BATCH_CHUNKS = 4096  # read for the card at once: some megabytes
MAX_REVISED_SHARE = 0.05  # of a large node's chunks: after more changes its card is rebuilt, centroids included


class ManifestDraft(NamedTuple):
    """The contents of a manifest, and their difference from the manifest before it."""

    space: Space
    shards: list[ShardRef]
    card: Card
    documents: list[DocumentEntry]  # all of them
    added: list[DocumentEntry] = []
    removed: list[DocumentEntry] = []
    compacted: bool = False
    changed: bool = False


def draft_manifest(
    node: Node,
    state: State,
    base: Manifest | None,
    *,
    compact: bool,
    stale: Collection[int] = (),
    progress: Progress,
    head: Head | None = None,
) -> ManifestDraft:
    """Write what changed since ``base``, the last manifest, which is ``head`` if it is on this chain.

    Shards of the numbers ``stale`` are rewritten. Raises IndexerError when a sync is due, and StoreError.
    """
    space = indexed_space(node, state)
    base, card, before = _load_base(node, base)
    if base is not None and head is not None and cid_of(base) == head.manifest:
        base = replace(base, shards=dated(node.store, base, head))
    shards = base.shards if base and base.space == cid_of(space) else []
    wanted: dict[Cid, str] = {}
    kept: set[Cid] = set()
    for row in _indexed(state):
        progress("draft_manifest", len(wanted), 0)
        wanted[row.cid] = row.document.uri
        place = before.get(row.cid) if shards else None
        if place and place.spans == [(c.start, c.end) for c in row.chunks] and not place.is_in(stale):
            kept.add(row.cid)
    documents = [(uri, cid) for cid, uri in wanted.items()]
    same = kept == wanted.keys() == before.keys() and not compact
    current = card is not None and has_current_terms(card)
    if base is not None and card is not None and current and same and card == replace(card, **_own_terms(node)):
        return ManifestDraft(space, base.shards, card, documents)
    removed = [part for cid in before.keys() - kept for part in before[cid].ranges] if shards else []
    last, shards = shards, tombstone(shards, removed)
    compacted = compact or needs_compaction(shards, space)
    passages = _Passages(node, state, space, progress, len(wanted))
    with node.store.batch():
        new = (chunk for row in _indexed(state) if compacted or row.cid not in kept for chunk in passages.of(row))
        written = write_shards(node.store, space, new)
        lost = last if compacted else [last[number] for number in sorted({part.shard for part in removed})]
        with suppress(BlockNotFound, BlockTampered, CodecError, NotIncluded):  # the texts count as new then
            written = with_earlier(node.store, written, lost)
        shards = ([] if compacted else shards) + written
        put_record(node.store, space)
        changed = sum(part.stop - part.start for part in removed) + sum(ref.count for ref in written)
        if card is not None and current and _keeps_card(state, card, changed):
            added, dead = passages.batches(but=kept), _removed_batches(node, last, removed)
            card = replace(revise_card(card, space, added, dead, documents=len(wanted)), **_own_terms(node))
        else:
            card = make_card(space, passages, documents=len(wanted), **_own_terms(node))
        put_record(node.store, card)
    return ManifestDraft(
        space,
        shards,
        card,
        documents,
        added=[(uri, cid) for uri, cid in documents if cid not in before],
        removed=[(get_record(node.store, cid, Document).uri, cid) for cid in before if cid not in wanted],
        compacted=compacted,
        changed=True,
    )


def indexed_space(node: Node, state: State) -> Space:
    """Return the space of all indexed chunks. Raises IndexerError before a sync, or after an interrupted one."""
    block = state.meta("space")
    if not block:
        raise IndexerError(
            f"node {node.name} has indexed nothing.", hint="Run `knet node add` and `knet node sync` first."
        )
    space = decode(block, Space)
    if state.meta("model") != node.config.model.encode() or state.spaces() - {cid_of(space)}:
        raise IndexerError(
            f"node {node.name} is only partly embedded with {node.config.model}.", hint="Run `knet node sync`."
        )
    return space


def _load_base(node: Node, base: Manifest | None) -> tuple[Manifest | None, Card | None, dict[Cid, DocumentPlacement]]:
    try:
        if base is not None:
            return base, get_record(node.store, base.card, Card), document_placements(node.store, base)
    except (BlockNotFound, BlockTampered):
        pass  # every shard is rewritten
    return None, None, {}


def _indexed(state: State) -> Iterator[DocumentRow]:
    """Yield every document that has chunks, once."""
    seen: set[Cid] = set()
    for row in state.documents():
        if row.chunks and row.cid not in seen:
            seen.add(row.cid)
            yield row


class _Passages:
    """The chunks of a node, read from its state document by document whenever they are needed and never cached."""

    def __init__(self, node: Node, state: State, space: Space, progress: Progress, documents: int) -> None:
        self._documents = documents
        self._node = node
        self._state = state
        self._space = cid_of(space)
        self._progress = progress
        self._written = 0

    def of(self, row: DocumentRow) -> Iterator[Chunk]:
        """Yield the chunks of a document that is written to a shard."""
        self._progress("write", self._written, 0)
        self._written += 1
        return self._read(row)

    def _read(self, row: DocumentRow) -> Iterator[Chunk]:
        text = _text(self._node, row.document)
        vectors = self._state.vectors(self._space, [chunk.digest for chunk in row.chunks])
        for chunk in row.chunks:
            yield Chunk(
                document=row.document,
                start=chunk.start,
                end=chunk.end,
                text=text[chunk.start : chunk.end],
                vector=vectors[chunk.digest],
            )

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, *, but: Collection[Cid] = ()) -> Iterator[Batch]:
        """Yield all chunks except those of some documents, in batches for the card."""
        chunks: list[Chunk] = []
        for done, row in enumerate(_indexed(self._state)):
            self._progress("card", done, self._documents)
            if row.cid not in but:
                chunks += self._read(row)
            if len(chunks) >= BATCH_CHUNKS:
                yield _batch(chunks)
                chunks = []
        if chunks:
            yield _batch(chunks)


def _batch(chunks: list[Chunk]) -> Batch:
    vectors = np.frombuffer(b"".join(chunk.vector for chunk in chunks), VECTOR_DTYPE).reshape(len(chunks), -1)
    return Batch(vectors.astype(np.float32), [chunk.text for chunk in chunks])


def _text(node: Node, document: Document) -> str:
    try:
        return node.store.get(document.text).decode()
    except (BlockNotFound, BlockTampered) as error:
        node.store.delete(document.text)  # the next sync would take a damaged block for the text
        raise IndexerError(f"the text of {document.uri} was lost.", hint="Run `knet node sync`.") from error


def _keeps_card(state: State, card: Card, changed: int) -> bool:
    """Return whether a large node's card can be revised instead of rebuilt when ``changed`` more chunks changed.

    The number of chunks changed since the card was built is stored.
    """
    changed += int(state.meta("revised") or 0)
    revised = uses_disk_index(card.chunks) and changed <= MAX_REVISED_SHARE * card.chunks
    state.put_meta("revised", str(changed if revised else 0).encode())
    return revised


def _removed_batches(node: Node, refs: Sequence[ShardRef], ranges: Sequence[ChunkRange]) -> Iterator[Batch]:
    """Yield the removed chunks, from the shards of the manifest before."""
    for number, group in groupby(sorted(ranges), key=lambda part: part.shard):
        shard = read_shard(node.store, refs[number])
        rows = [chunk for part in group for chunk in range(part.start, part.stop)]
        yield Batch(shard.vectors[rows].astype(np.float32), [shard.texts[row] for row in rows])


def _own_terms(node: Node) -> dict[str, Any]:
    """Return the fields of a card that the owner's settings decide, cut to what clients accept."""
    config = node.config
    return {
        "title": config.name[:MAX_TITLE],
        "description": config.description[:MAX_DESCRIPTION],
        "languages": [language[:MAX_NAME] for language in config.languages[:MAX_LANGUAGES]],
        "licence": config.licence[:MAX_LICENCE],
        "access": config.access[:MAX_NAME],
        "cost": config.cost,
    }
