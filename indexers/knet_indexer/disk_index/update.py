"""Incremental update of a disk index to the shards of a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.store import FileStore
from knet.errors import StoreError
from knet.files import make_folder
from knet.index.analyser import tokens
from knet.index.collection import LiveChunks
from knet.index.lexical import document_frequency
from knet.index.shard import LoadedShard, live_mask, read_shard
from knet.records import Document, Shard, ShardRef

from ..node import Progress
from .catalog import Catalog, CatalogEntry, NewShard
from .ivf import build_ivf
from .postings import Postings
from .shards import HASH, DiskShard, numbered_vectors, text_cache, tree_bytes

CATALOG, WORDS = "catalog.db", "words"
SHARDS_PER_COMMIT = 32  # about 40,000 chunks: the work that an interruption may lose
MAX_UNINDEXED = 20_000  # vectors outside the inverted file: comparing all of them takes some milliseconds
MIN_KEPT_SHARE = 0.5  # of the live chunks: below it, a rebuild is cheaper than removing the others

Mask = npt.NDArray[np.bool_]


def update(
    folder: Path, store: FileStore, refs: Sequence[ShardRef], kept: Collection[Cid], progress: Progress, *, dense: bool
) -> None:
    """Bring the index in ``folder`` up to ``refs``; of the shards ``kept`` it also records the blocks.

    ``dense`` is False when an external vector index holds the vectors. Raises StoreError when the index is damaged or
    mostly obsolete, and when the disk is full; and what `read_shard` raises.
    """
    make_folder(folder)
    catalog = Catalog(folder / CATALOG)
    try:
        job = _Update(folder, store, catalog, progress)
        job.words(refs, kept)
        if dense:
            job.dense(refs)
    finally:
        catalog.close()


class _Counts:
    """Changes to the term statistics of a collection."""

    def __init__(self) -> None:
        self.df: Counter[str] = Counter()
        self.chunks = self.length = 0

    def count(self, words: Sequence[Sequence[str]], which: Mask, sign: int) -> None:
        """Count chunks of a shard with tokens ``words`` as added (``sign`` 1) or removed (-1)."""
        counted = [words[chunk] for chunk in np.flatnonzero(which).tolist()]
        change = self.df.update if sign > 0 else self.df.subtract
        change(document_frequency(counted))
        self.chunks += sign * len(counted)
        self.length += sign * sum(map(len, counted))


class _Update:
    def __init__(self, folder: Path, store: FileStore, catalog: Catalog, progress: Progress) -> None:
        self.folder = folder
        self.store = store
        self.catalog = catalog
        self.progress = progress

    def words(self, refs: Sequence[ShardRef], kept: Collection[Cid]) -> None:
        """Update everything except the inverted file of vectors."""
        known = self.catalog.shards()
        if Postings(self.folder / WORDS).count < sum(len(entry.alive) for entry in known.values()):
            raise StoreError(f"the word index in {self.folder} is incomplete.")
        masks = {ref.shard: live_mask(ref) for ref in refs}
        _check_worth(known, masks)
        new = [ref for ref in refs if ref.shard not in known or not known[ref.shard].indexed]
        for cid, entry in known.items():
            mask = masks.get(cid, np.zeros(len(entry.alive), np.bool_))
            if entry.indexed and not np.array_equal(mask, entry.alive):
                self._set_alive(cid, entry, mask)
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
                        number, start = self.catalog.add(_new_shard(self.store, shard, masks[ref.shard]))
                        writer.add(number, start, words)
                        counts.count(words, masks[ref.shard], 1)
                        done += ref.count
                    writer.commit()
                    self.catalog.count(counts.df, counts.chunks, counts.length)
            for number in obsolete:
                writer.drop(number)
        with self.catalog.transaction():
            self.catalog.drop(obsolete)
            for cid in unknown:
                self.catalog.add(_kept_shard(self.store, cid))

    def _set_alive(self, cid: Cid, entry: CatalogEntry, mask: Mask) -> None:
        """Apply the added and removed chunks of an indexed shard."""
        root = self.catalog.levels(entry.id)[-HASH:]
        shard = read_shard(self.store, ShardRef(shard=cid, root=root, count=len(mask)))
        words = [tokens(text) for text in shard.texts]
        counts = _Counts()
        counts.count(words, mask & ~entry.alive, 1)
        counts.count(words, entry.alive & ~mask, -1)
        with self.catalog.transaction():
            self.catalog.count(counts.df, counts.chunks, counts.length)
            self.catalog.set_alive(entry.id, mask)

    def dense(self, refs: Sequence[ShardRef]) -> None:
        """Rewrite the inverted file when too many vectors are outside it."""
        known = self.catalog.shards()
        rows = LiveChunks(refs)
        texts = text_cache(self.store)
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
        progress = partial(self.progress, "vectors")
        build_ivf(self.folder / name, dimension, len(rows), lambda: numbered_vectors(rows, shards), progress)
        with self.catalog.transaction():
            self.catalog.put_meta("files", self.catalog.meta("files", 0) + 1)
            self.catalog.put_meta("file", name)
            self.catalog.put_meta("bytes", (self.folder / name).stat().st_size)
            self.catalog.put_meta("inside", np.packbits(live).tobytes())
        for path in self.folder.glob("*.faiss"):
            if path.name != name:
                path.unlink()


def indexed_mask(catalog: Catalog) -> Mask:
    """Return a mask over chunk numbers: those in the inverted file."""
    return np.unpackbits(np.frombuffer(catalog.meta("inside", b""), np.uint8)).astype(np.bool_)


def _check_worth(known: dict[Cid, CatalogEntry], masks: dict[Cid, Mask]) -> None:
    live = sum(int(entry.alive.sum()) for entry in known.values())
    kept = sum(int((entry.alive & masks[cid]).sum()) for cid, entry in known.items() if cid in masks and entry.indexed)
    if kept < MIN_KEPT_SHARE * live:
        raise StoreError("the search index holds mostly removed chunks.")


def _new_shard(store: FileStore, shard: LoadedShard, mask: Mask) -> NewShard:
    record = get_record(store, shard.ref.shard, Shard)
    return NewShard(shard.ref.shard, record, mask, [document.text for document in shard.documents], tree_bytes(shard))


def _kept_shard(store: FileStore, cid: Cid) -> NewShard:
    """Describe a shard of the manifest before: no search returns its chunks, but the gateway serves its blocks."""
    record = get_record(store, cid, Shard)
    texts = [get_record(store, document, Document).text for document in record.documents]
    return NewShard(cid, record, np.zeros(0, np.bool_), texts, b"")
