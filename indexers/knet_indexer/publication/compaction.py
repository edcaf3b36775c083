"""Which chunks of which shard hold a document, and shards as few publications later: tombstones and compaction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from knet.codec import MAX_BLOCK, Cid
from knet.content.base import BlockSource, get_record
from knet.records import VECTOR_DTYPE, Manifest, Shard, ShardRef, Space, Tombstone

MAX_REMOVED_SHARE = 0.3  # of all chunks in shards: beyond, fetching the collection costs too much for what it holds
SPARE_SHARDS = 8  # beyond twice what is needed: each publication leaves one that is not full


class ChunkRange(NamedTuple):
    """Chunks ``start`` to ``stop`` of one shard of a manifest."""

    shard: int
    start: int
    stop: int


class DocumentPlacement(NamedTuple):
    """A document that a manifest holds: its chunks' offsets in order, and where they are."""

    spans: list[tuple[int, int]]
    runs: list[ChunkRange]


def document_placements(source: BlockSource, manifest: Manifest) -> dict[Cid, DocumentPlacement]:
    """Every document with live chunks. Raises BlockNotFound when a block was lost, and what `get` raises."""
    found: dict[Cid, DocumentPlacement] = {}
    for number, ref in enumerate(manifest.shards):
        shard = get_record(source, ref.shard, Shard)
        rows = np.frombuffer(source.get(shard.chunks), "<u4").reshape(-1, 3).tolist()
        dead = {chunk for gone in ref.removed for chunk in range(gone.start, gone.stop)}
        live = [(chunk, row) for chunk, row in enumerate(rows) if chunk not in dead]
        for document, group in groupby(live, key=lambda entry: entry[1][0]):
            chunks = list(group)
            place = found.setdefault(shard.documents[document], DocumentPlacement([], []))
            place.spans.extend((start, end) for _, (_, start, end) in chunks)
            place.runs.append(ChunkRange(number, chunks[0][0], chunks[-1][0] + 1))
    return found


def tombstone(refs: list[ShardRef], gone: Iterable[ChunkRange]) -> list[ShardRef]:
    """The shards with more of their chunks removed; a shard with none left is dropped."""
    removed = [list(ref.removed) for ref in refs]
    for run in gone:
        removed[run.shard].append(Tombstone(start=run.start, stop=run.stop))
    buried = [replace(ref, removed=_merged(graves)) for ref, graves in zip(refs, removed, strict=True)]
    return [ref for ref in buried if live_chunks(ref)]


def _merged(graves: list[Tombstone]) -> list[Tombstone]:
    merged: list[Tombstone] = []
    for grave in sorted(graves, key=lambda grave: grave.start):
        if merged and grave.start <= merged[-1].stop:
            merged[-1] = Tombstone(start=merged[-1].start, stop=max(grave.stop, merged[-1].stop))
        else:
            merged.append(grave)
    return merged


def live_chunks(ref: ShardRef) -> int:
    """How many chunks of a shard still stand."""
    return ref.count - sum(grave.stop - grave.start for grave in ref.removed)


def needs_compaction(refs: list[ShardRef], space: Space) -> bool:
    """Whether writing all shards anew would save a follower much: many removed chunks, or many small shards."""
    total = sum(ref.count for ref in refs)
    live = sum(map(live_chunks, refs))
    per_shard = MAX_BLOCK // (space.dimension * np.dtype(VECTOR_DTYPE).itemsize)
    needed = -(-live // per_shard)
    return total - live > MAX_REMOVED_SHARE * total or len(refs) > 2 * needed + SPARE_SHARDS
