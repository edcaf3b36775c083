"""The index of a node, in its home: kept up to date by whoever publishes, opened by whoever serves.

It lives in ``index/1``, ``index/2`` and so on, of which the last counts: what cannot be read, or has become mostly
something else, is begun anew in the next folder, while a process that serves still reads the one before.
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
from knet.index.collection import Collection, LiveChunks, read_head
from knet.index.dense import DenseIndex, DenseIndexFactory
from knet.records import ShardRef

from ..node import Node, Progress
from .catalog import Catalog
from .ivf import DiskVectorIndex, Tail
from .postings import Postings
from .shards import HASH, DiskLexicalIndex, DiskShard, TextCache, numbered_vectors, row_numbers
from .update import CATALOG, WORDS, indexed_mask, update

FOLDER = "index"
VECTOR_THREADS = 4  # searches whose vectors are compared while their words are looked up

T = TypeVar("T")

log = logging.getLogger("knet.node")


class ServableBlocks:
    """The blocks that a gateway may hand out: those of some shards, and a few more."""

    def __init__(self, catalog: Catalog, shards: frozenset[int], more: frozenset[Cid]) -> None:
        self._catalog = catalog
        self._shards = shards
        self._more = more

    def __contains__(self, cid: object) -> bool:
        return isinstance(cid, Cid) and (
            cid in self._more or not self._shards.isdisjoint(self._catalog.shards_with(cid))
        )


def disk_index_of(node: Node) -> DiskIndex:
    """The index of a node. Raises ConfigError when the vector index that its settings name is not there."""
    return DiskIndex(node.folder, node.store, node.index if node.config.index else None)


class DiskIndex:
    """The index in a node's home. ``make_index`` finds candidates by vector in the place of the file kept here."""

    def __init__(self, home: Path, store: FileStore, make_index: MakeIndex | None = None) -> None:
        self._root = home / FOLDER
        self._store = store
        self._make_index = make_index

    def update(self, refs: Sequence[ShardRef], kept: Several[Cid], progress: Progress) -> None:
        """Make it the index of ``refs``, and of the blocks of the shards ``kept``. Does nothing when it is.

        Waits while another process works on it.
        Raises StoreError, and what `knet.index.shard.read_shard` raises for blocks that are damaged or not there.
        """
        self._ready(refs, kept, progress, lambda folder: None)

    def open(
        self, cid: Cid, kept: Several[Cid], more: frozenset[Cid], progress: Progress
    ) -> tuple[Collection, ServableBlocks]:
        """A published manifest, and what the gateway may hand out: the blocks of the shards ``kept``, and ``more``.

        Raises as `update`, CodecError, SpaceMismatch, and what another vector index raises.
        """
        manifest, space, card = read_head(self._store, cid)

        def read(folder: Path) -> tuple[Callable[[], Collection], ServableBlocks]:
            catalog = Catalog(folder / CATALOG)
            known = catalog.shards()
            texts = TextCache(self._store)
            shards = [DiskShard(self._store, texts, catalog, ref, known[ref.shard]) for ref in manifest.shards]
            rows = Rows(manifest.shards)
            row_of = row_numbers(rows, shards)
            lexical = DiskLexicalIndex(catalog, Postings(folder / WORDS), row_of, texts_of(rows, shards))
            own = None if self._make_index else _own_vectors(folder, catalog, rows, shards)
            ids = frozenset(known[each].id for each in kept)

            def collection() -> Collection:
                dense = self._external_vectors(rows, shards) if own is None else own
                pool = ThreadPoolExecutor(VECTOR_THREADS, "knet-nearest")  # its threads end with the collection
                return Collection(cid, manifest, space, card, shards, dense, lexical, pool)

            return collection, ServableBlocks(catalog, ids, more)

        collection, served = self._ready(manifest.shards, kept, progress, read)
        return (
            collection(),
            served,
        )  # not before now: when another vector index is away, what is kept here is still whole

    def remove(self) -> None:
        """Forget the index: a node that has become small needs none."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _ready(self, refs: Sequence[ShardRef], kept: Several[Cid], progress: Progress, use: Callable[[Path], T]) -> T:
        """Bring the newest folder up to date and use it, or else a new one; the others are deleted."""
        with self._locked():
            numbers = sorted(int(path.name) for path in self._root.iterdir() if path.name.isdecimal())
            newest = numbers[-1] if numbers else 1
            try:
                found = self._current(newest, refs, kept, progress, use)
            except (StoreError, BlockNotFound) as error:
                if not numbers:
                    raise
                log.warning("the search index is built anew: %s", error)
                newest += 1
                try:
                    found = self._current(newest, refs, kept, progress, use)
                except (StoreError, BlockNotFound):  # the disk is full, or blocks are not there: it only takes room
                    shutil.rmtree(self._root / str(newest), ignore_errors=True)
                    raise
            for number in numbers:
                if number != newest:
                    shutil.rmtree(self._root / str(number), ignore_errors=True)
            return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with FileLock(self._root / "lock"):
                yield
        except OSError as error:
            raise StoreError(
                f"the search index in {self._root} cannot be written: {error.strerror}.",
                hint="It can be deleted: it is built again from the node's blocks.",
            ) from error

    def _current(
        self, number: int, refs: Sequence[ShardRef], kept: Several[Cid], progress: Progress, use: Callable[[Path], T]
    ) -> T:
        folder = self._root / str(number)
        update(folder, self._store, refs, kept, progress, dense=self._make_index is None)
        return use(folder)

    def _external_vectors(self, rows: Rows, shards: list[DiskShard]) -> DenseIndex:
        assert self._make_index is not None
        leaves = [shard.leaves() for shard in shards]
        keys = [leaves[n][HASH * chunk : HASH * (chunk + 1)] for n in range(len(shards)) for chunk in rows.of(n)]
        return self._make_index(np.concatenate([vectors for _, vectors in numbered_vectors(rows, shards)]), keys)


def _own_vectors(folder: Path, catalog: Catalog, rows: Rows, shards: list[DiskShard]) -> DenseIndex:
    """The file of vectors in an index's folder, and what it does not hold. Raises StoreError."""
    inside = indexed_mask(catalog)
    tail = _outside(rows, shards, inside)
    name = catalog.meta("file", "")
    if not name:
        return DiskVectorIndex(None, np.zeros(0, np.int32), tail)
    path = folder / name
    if not path.is_file() or path.stat().st_size != catalog.meta("bytes", 0):
        raise StoreError(f"{path} is not what was written.")
    row_of = row_numbers(rows, shards)
    in_both = np.full(len(inside), -1, np.int32)
    size = min(len(inside), len(row_of))
    in_both[:size] = np.where(inside[:size], row_of[:size], -1)
    return DiskVectorIndex(path, in_both, tail)


def texts_of(rows: Rows, shards: Sequence[DiskShard]) -> Callable[[int], str]:
    """What reads the text of a row."""

    def text(row: int) -> str:
        shard, chunk = rows.place(row)
        return shards[shard].text(chunk)

    return text


def _outside(rows: Rows, shards: Sequence[DiskShard], inside: npt.NDArray[np.bool_]) -> Tail:
    """Rows and vectors of the live chunks that the inverted file does not hold."""
    found = [(np.zeros(0, np.int64), np.zeros((0, 1), np.float32))]
    for place, shard in enumerate(shards):
        numbers = shard.entry.first + rows.of(place).astype(np.int64)
        there = np.zeros(len(numbers), np.bool_)
        known = numbers < len(inside)
        there[known] = inside[numbers[known]]
        if not there.all():
            vectors = shard.vectors[rows.of(place)[~there]].astype(np.float32)
            found.append((rows.first[place] + np.flatnonzero(~there), vectors))
    parts = found[1:] or found
    return Tail(np.concatenate([numbers for numbers, _ in parts]), np.concatenate([vectors for _, vectors in parts]))
