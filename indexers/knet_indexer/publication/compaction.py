"""Tombstones and compaction: the chunks that hold each document of a manifest, and the removal of some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from knet.codec import MAX_BLOCK, Cid
from knet.content.base import BlockSource, get_record
from knet.records import VECTOR_DTYPE, Manifest, Shard, ShardRef, Space, Tombstone

MAX_REMOVED_SHARE = 0.3  # of all chunks in shards; beyond it, too much of a download is removed text
SPARE_SHARDS = 8  # beyond twice the number needed: each publication leaves one that is not full


class ChunkRange(NamedTuple):
    """Chunks ``start`` to ``stop`` of one shard of a manifest."""

    shard: int
    start: int
    stop: int


class DocumentPlacement(NamedTuple):
    """A document that a manifest holds: the offsets of its chunks in order, and the chunk ranges that hold them."""

    spans: list[tuple[int, int]]
    ranges: list[ChunkRange]

    def is_in(self, shards: Collection[int]) -> bool:
        """Return whether one of these shards holds a part of the document."""
        return any(part.shard in shards for part in self.ranges)


def document_placements(source: BlockSource, manifest: Manifest) -> dict[Cid, DocumentPlacement]:
    """Return every document with live chunks. Raises BlockNotFound when a block was lost, and what `get` raises."""
    found: dict[Cid, DocumentPlacement] = {}
    for number, ref in enumerate(manifest.shards):
        shard = get_record(source, ref.shard, Shard)
        rows = np.frombuffer(source.get(shard.chunks), "<u4").reshape(-1, 3).tolist()
        removed = {chunk for dead in ref.removed for chunk in range(dead.start, dead.stop)}
        live = [(chunk, row) for chunk, row in enumerate(rows) if chunk not in removed]
        for document, group in groupby(live, key=lambda entry: entry[1][0]):
            chunks = list(group)
            place = found.setdefault(shard.documents[document], DocumentPlacement([], []))
            place.spans.extend((start, end) for _, (_, start, end) in chunks)
            place.ranges.append(ChunkRange(number, chunks[0][0], chunks[-1][0] + 1))
    return found


def tombstone(refs: list[ShardRef], ranges: Iterable[ChunkRange]) -> list[ShardRef]:
    """Return the shards with more of their chunks removed, without shards that have no live chunk left."""
    removed = [list(ref.removed) for ref in refs]
    for dead in ranges:
        removed[dead.shard].append(Tombstone(start=dead.start, stop=dead.stop))
    marked = [replace(ref, removed=_merged(stones)) for ref, stones in zip(refs, removed, strict=True)]
    return [ref for ref in marked if live_chunks(ref)]


def _merged(tombstones: list[Tombstone]) -> list[Tombstone]:
    merged: list[Tombstone] = []
    for stone in sorted(tombstones, key=lambda stone: stone.start):
        if merged and stone.start <= merged[-1].stop:
            merged[-1] = Tombstone(start=merged[-1].start, stop=max(stone.stop, merged[-1].stop))
        else:
            merged.append(stone)
    return merged


def live_chunks(ref: ShardRef) -> int:
    """Return the number of chunks of a shard that are not removed."""
    return ref.count - sum(stone.stop - stone.start for stone in ref.removed)


def needs_compaction(refs: list[ShardRef], space: Space) -> bool:
    """Return whether rewriting all shards would save a follower much: many removed chunks, or many small shards."""
    total = sum(ref.count for ref in refs)
    live = sum(map(live_chunks, refs))
    per_shard = MAX_BLOCK // (space.dimension * np.dtype(VECTOR_DTYPE).itemsize)
    needed = -(-live // per_shard)
    return total - live > MAX_REMOVED_SHARE * total or len(refs) > 2 * needed + SPARE_SHARDS
