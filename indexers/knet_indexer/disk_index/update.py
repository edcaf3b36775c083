"""Bring a node's index up to the shards it publishes: what is new is added, what is gone dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.store import FileStore
from knet.errors import StoreError
from knet.index.collection import LiveChunks
from knet.index.lexical import document_frequency, tokens
from knet.index.shard import LoadedShard, live_mask, read_shard
from knet.records import Document, Shard, ShardRef

from ..node import Progress
from .catalog import Catalog, CatalogEntry, NewShard
from .ivf import build_ivf
from .postings import Postings
from .shards import HASH, DiskShard, TextCache, tree_bytes, numbered_vectors

CATALOG, WORDS = "catalog.db", "words"
SHARDS_PER_COMMIT = 32  # shards committed together, about 40,000 chunks: what being cut off may cost
MAX_UNINDEXED = 20_000  # vectors outside the inverted file: comparing them all takes some milliseconds
MIN_KEPT_SHARE = 0.5  # of the live chunks: when fewer stay, beginning anew is cheaper than taking the others out

Mask = npt.NDArray[np.bool_]


def update(
    folder: Path, store: FileStore, refs: Sequence[ShardRef], kept: Collection[Cid], progress: Progress, *, dense: bool
) -> None:
    """Make the index in ``folder`` that of ``refs``; of the shards ``kept`` it also remembers the blocks.

    ``dense`` False leaves vectors to an external vector index. Raises StoreError when it is damaged, when it holds mostly
    something else, and when the disk is full; and what `read_shard` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    catalog = Catalog(folder / CATALOG)
    try:
        work = _Update(folder, store, catalog, progress)
        work.words(refs, kept)
        if dense:
            work.dense(refs)
    finally:
        catalog.close()


class _Counts:
    """How the statistics of a collection's words change."""

    def __init__(self) -> None:
        self.df: Counter[str] = Counter()
        self.chunks = self.length = 0

    def take(self, words: Sequence[Sequence[str]], which: Mask, sign: int) -> None:
        """Chunks that come (``sign`` 1) or go (-1), of a shard whose tokens are ``words``."""
        some = [words[chunk] for chunk in np.flatnonzero(which).tolist()]
        change = self.df.update if sign > 0 else self.df.subtract
        change(document_frequency(some))
        self.chunks += sign * len(some)
        self.length += sign * sum(map(len, some))


class _Update:
    def __init__(self, folder: Path, store: FileStore, catalog: Catalog, progress: Progress) -> None:
        self.folder = folder
        self.store = store
        self.catalog = catalog
        self.progress = progress

    def words(self, refs: Sequence[ShardRef], kept: Collection[Cid]) -> None:
        """Everything but the vectors."""
        known = self.catalog.shards()
        if Postings(self.folder / WORDS).count < sum(len(entry.alive) for entry in known.values()):
            raise StoreError(f"the word index in {self.folder} lacks chunks.")
        masks = {ref.shard: live_mask(ref) for ref in refs}
        _check_worth(known, masks)
        new = [ref for ref in refs if ref.shard not in known or not known[ref.shard].indexed]
        for cid, entry in known.items():
            mask = masks.get(cid, np.zeros(len(entry.alive), np.bool_))
            if entry.indexed and not np.array_equal(mask, entry.alive):
                self._revive(cid, entry, mask)
        obsolete = [entry.id for cid, entry in known.items() if cid not in masks and cid not in kept]
        unknown = set(kept) - known.keys() - masks.keys()
        if not new and not obsolete and not unknown:
            return
        with Postings(self.folder / WORDS).writing() as writer:
            done, total = 0, sum(ref.count for ref in new)
            for first in range(0, len(new), SHARDS_PER_COMMIT):
                counts = _Counts()
                with self.catalog.transaction():
                    for ref in new[first : first + SHARDS_PER_COMMIT]:
                        self.progress("index", done, total)
                        shard = read_shard(self.store, ref)
                        words = [tokens(text) for text in shard.texts]
                        number, start = self.catalog.add(_entry(self.store, shard, masks[ref.shard]))
                        writer.add(number, start, words)
                        counts.take(words, masks[ref.shard], 1)
                        done += ref.count
                    writer.commit()
                    self.catalog.count(counts.df, counts.chunks, counts.length)
            for number in obsolete:
                writer.drop(number)
        with self.catalog.transaction():
            self.catalog.drop(obsolete)
            for cid in unknown:
                self.catalog.add(_kept(self.store, cid))

    def _revive(self, cid: Cid, entry: CatalogEntry, mask: Mask) -> None:
        """Chunks of a shard that come or go."""
        root = self.catalog.levels(entry.id)[-HASH:]
        shard = read_shard(self.store, ShardRef(shard=cid, root=root, count=len(mask)))
        words = [tokens(text) for text in shard.texts]
        counts = _Counts()
        counts.take(words, mask & ~entry.alive, 1)
        counts.take(words, entry.alive & ~mask, -1)
        with self.catalog.transaction():
            self.catalog.count(counts.df, counts.chunks, counts.length)
            self.catalog.set_alive(entry.id, mask)

    def dense(self, refs: Sequence[ShardRef]) -> None:
        """Write the inverted file anew when too much lies outside of it."""
        known = self.catalog.shards()
        rows = Rows(refs)
        texts = TextCache(self.store)
        shards = [DiskShard(self.store, texts, self.catalog, ref, known[ref.shard]) for ref in refs]
        inside = indexed_mask(self.catalog)
        live = np.zeros(max(len(inside), self.catalog.meta("numbers", 0)), np.bool_)
        for place, shard in enumerate(shards):
            live[shard.entry.first + rows.of(place)] = True
        outside = live.copy()
        outside[: len(inside)] &= ~inside
        if np.count_nonzero(outside) <= MAX_UNINDEXED:
            return
        name = f"vectors-{self.catalog.meta('files', 0) + 1}.faiss"
        dimension = shards[0].vectors.shape[1]
        tell = lambda done, total: self.progress("vectors", done, total)  # noqa: E731
        build_ivf(self.folder / name, dimension, len(rows), lambda: numbered_vectors(rows, shards), tell)
        with self.catalog.transaction():
            self.catalog.put_meta("files", self.catalog.meta("files", 0) + 1)
            self.catalog.put_meta("file", name)
            self.catalog.put_meta("bytes", (self.folder / name).stat().st_size)
            self.catalog.put_meta("inside", np.packbits(live).tobytes())
        for path in self.folder.glob("*.faiss"):
            if path.name != name:
                path.unlink()


def indexed_mask(catalog: Catalog) -> Mask:
    """Which numbers the inverted file holds."""
    return np.unpackbits(np.frombuffer(catalog.meta("inside", b""), np.uint8)).astype(np.bool_)


def _check_worth(known: dict[Cid, CatalogEntry], masks: dict[Cid, Mask]) -> None:
    live = sum(int(entry.alive.sum()) for entry in known.values())
    staying = sum(
        int((entry.alive & masks[cid]).sum()) for cid, entry in known.items() if cid in masks and entry.indexed
    )
    if staying < MIN_KEPT_SHARE * live:
        raise StoreError("the index holds mostly what was removed.")


def _entry(store: FileStore, shard: LoadedShard, mask: Mask) -> NewShard:
    record = get_record(store, shard.ref.shard, Shard)
    texts = [document.text for document in shard.documents]
    return _new(shard.ref.shard, record, mask, tree_bytes(shard), texts)


def _kept(store: FileStore, cid: Cid) -> NewShard:
    """A shard of the manifest before: nothing of it is found any more, and its blocks are still handed out."""
    record = get_record(store, cid, Shard)
    texts = [get_record(store, document, Document).text for document in record.documents]
    return _new(cid, record, np.zeros(0, np.bool_), b"", texts)


def _new(cid: Cid, record: Shard, mask: Mask, levels: bytes, texts: list[Cid]) -> NewShard:
    return NewShard(
        cid=cid,
        alive=mask,
        chunks=record.chunks,
        vectors=record.vectors,
        documents=record.documents,
        texts=texts,
        levels=levels,
        blocks=[cid, record.space, record.chunks, record.vectors, record.lexical, *record.documents, *texts],
    )
