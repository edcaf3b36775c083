"""The disk index of a node, in its home: updated by publication, opened by the HTTP service.

It lives in ``index/1``, ``index/2`` and so on, of which the last is current. An index that is damaged or mostly
obsolete is rebuilt in the next folder, while a serving process still reads the one before.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Several
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from knet.codec import Cid
from knet.content.store import FileStore
from knet.errors import BlockNotFound, StoreError
from knet.files import make_folder
from knet.index.collection import Collection, LiveChunks, read_head
from knet.index.dense import DenseIndex, DenseIndexFactory
from knet.records import ShardRef

from ..node import Node, Progress
from .catalog import Catalog
from .ivf import DiskVectorIndex, Tail
from .postings import Postings
from .shards import HASH, DiskLexicalIndex, DiskShard, numbered_vectors, row_numbers, text_cache
from .update import CATALOG, WORDS, indexed_mask, update

FOLDER = "index"
VECTOR_THREADS = 4  # searches that compare vectors while their words are looked up

T = TypeVar("T")

log = logging.getLogger("knet.node")


class ServableBlocks:
    """The blocks that the gateway may serve: those of some shards, and ``more``."""

    def __init__(self, catalog: Catalog, shards: frozenset[int], more: frozenset[Cid]) -> None:
        self._catalog = catalog
        self._shards = shards
        self._more = more

    def __contains__(self, cid: object) -> bool:
        return isinstance(cid, Cid) and (
            cid in self._more or not self._shards.isdisjoint(self._catalog.shards_with(cid))
        )


def disk_index_of(node: Node) -> DiskIndex:
    """Return the disk index of a node. Raises ConfigError when the vector index in its settings cannot be loaded."""
    return DiskIndex(node.folder, node.store, node.index if node.config.index else None)


class DiskIndex:
    """The index in a node's home. ``make_index`` opens an external vector index instead of the inverted file."""

    def __init__(self, home: Path, store: FileStore, make_index: DenseIndexFactory | None = None) -> None:
        self._root = home / FOLDER
        self._store = store
        self._make_index = make_index

    def update(self, refs: Sequence[ShardRef], kept: Several[Cid], progress: Progress, *, afresh: bool = False) -> None:
        """Bring the index up to ``refs`` and the blocks of the shards ``kept``. Does nothing when it is up to date.

        ``afresh`` builds a new one: an updated index keeps words of removed chunks until its files are merged. Waits
        while another process works on it. Raises StoreError, and what `knet.index.shard.read_shard` raises for damaged
        or missing blocks.
        """
        self._ready(refs, kept, progress, lambda folder: None, afresh=afresh)

    def open(
        self, cid: Cid, kept: Several[Cid], more: frozenset[Cid], progress: Progress
    ) -> tuple[Collection, ServableBlocks]:
        """Open a published manifest, and the blocks that the gateway may serve: those of the shards ``kept``, and
        ``more``.

        Raises as `update`, CodecError, SpaceMismatch, and what an external vector index raises.
        """
        manifest, space, card = read_head(self._store, cid)

        def read(folder: Path) -> tuple[Callable[[], Collection], ServableBlocks]:
            catalog = Catalog(folder / CATALOG)
            known = catalog.shards()
            texts = text_cache(self._store)
            shards = [DiskShard(self._store, texts, catalog, ref, known[ref.shard]) for ref in manifest.shards]
            rows = LiveChunks(manifest.shards)
            row_of = row_numbers(rows, shards)

            def text(row: int) -> str:
                shard, chunk = rows.place(row)
                return shards[shard].text(chunk)

            lexical = DiskLexicalIndex(catalog, Postings(folder / WORDS), row_of, text)
            inverted = None if self._make_index else _inverted_file(folder, catalog, rows, shards)
            ids = frozenset(known[each].id for each in kept)

            def collection() -> Collection:
                dense = self._external_index(rows, shards) if inverted is None else inverted
                pool = ThreadPoolExecutor(VECTOR_THREADS, "knet-nearest")  # its threads end with the collection
                return Collection(cid, manifest, space, card, shards, dense, lexical, pool)

            return collection, ServableBlocks(catalog, ids, more)

        collection, blocks = self._ready(manifest.shards, kept, progress, read)
        return collection(), blocks  # after the update: it is complete even if an external index is down

    def remove(self) -> None:
        """Delete the index: a small node needs none."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _ready(
        self,
        refs: Sequence[ShardRef],
        kept: Several[Cid],
        progress: Progress,
        use: Callable[[Path], T],
        *,
        afresh: bool = False,
    ) -> T:
        """Update the newest folder and use it, or else build a new one; then delete the others."""
        with self._locked():
            numbers = sorted(int(path.name) for path in self._root.iterdir() if path.name.isdecimal())
            newest = numbers[-1] + afresh if numbers else 1
            try:
                found = self._current(newest, refs, kept, progress, use)
            except (StoreError, BlockNotFound) as error:
                if not numbers:
                    raise
                log.warning("rebuilding the search index: %s", error)
                newest += 1
                try:
                    found = self._current(newest, refs, kept, progress, use)
                except (StoreError, BlockNotFound):  # disk full or blocks missing: free the space
                    shutil.rmtree(self._root / str(newest), ignore_errors=True)
                    raise
            for number in numbers:
                if number != newest:
                    shutil.rmtree(self._root / str(number), ignore_errors=True)
            return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            make_folder(self._root)
            with FileLock(self._root / "lock", mode=0o600):
                yield
        except OSError as error:
            raise StoreError(
                f"the search index in {self._root} cannot be written: {error.strerror}.",
                hint="Delete it: it is rebuilt from the node's blocks.",
            ) from error

    def _current(
        self, number: int, refs: Sequence[ShardRef], kept: Several[Cid], progress: Progress, use: Callable[[Path], T]
    ) -> T:
        folder = self._root / str(number)
        update(folder, self._store, refs, kept, progress, dense=self._make_index is None)
        return use(folder)

    def _external_index(self, rows: LiveChunks, shards: list[DiskShard]) -> DenseIndex:
        assert self._make_index is not None
        leaves = [shard.leaves() for shard in shards]
        keys = [leaves[n][HASH * chunk : HASH * (chunk + 1)] for n in range(len(shards)) for chunk in rows.of(n)]
        return self._make_index(np.concatenate([vectors for _, vectors in numbered_vectors(rows, shards)]), keys)


def _inverted_file(folder: Path, catalog: Catalog, rows: LiveChunks, shards: list[DiskShard]) -> DenseIndex:
    """Open the inverted file in an index's folder, with the vectors outside it. Raises StoreError."""
    inside = indexed_mask(catalog)
    tail = _outside(rows, shards, inside)
    name = catalog.meta("file", "")
    if not name:
        return DiskVectorIndex(None, np.zeros(0, np.int32), tail)
    path = folder / name
    if not path.is_file() or path.stat().st_size != catalog.meta("bytes", 0):
        raise StoreError(f"{path} is missing or has another size than when it was written.")
    row_of = row_numbers(rows, shards)
    in_both = np.full(len(inside), -1, np.int32)
    size = min(len(inside), len(row_of))
    in_both[:size] = np.where(inside[:size], row_of[:size], -1)
    return DiskVectorIndex(path, in_both, tail)


def _outside(rows: LiveChunks, shards: Sequence[DiskShard], inside: npt.NDArray[np.bool_]) -> Tail:
    """Return rows and vectors of the live chunks that are not in the inverted file."""
    found = [(np.zeros(0, np.int64), np.zeros((0, 1), np.float32))]
    for place, shard in enumerate(shards):
        numbers = shard.entry.first + rows.of(place).astype(np.int64)
        contained = np.zeros(len(numbers), np.bool_)
        known = numbers < len(inside)
        contained[known] = inside[numbers[known]]
        if not contained.all():
            vectors = shard.vectors[rows.of(place)[~contained]].astype(np.float32)
            found.append((rows.first[place] + np.flatnonzero(~contained), vectors))
    parts = found[1:] or found
    return Tail(np.concatenate([numbers for numbers, _ in parts]), np.concatenate([vectors for _, vectors in parts]))
