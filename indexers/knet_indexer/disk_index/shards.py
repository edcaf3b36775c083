"""Shards and lexical scores of a collection on disk: a search reads only the blocks that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from heapq import nsmallest
from typing import Any

import numpy as np
import numpy.typing as npt

from knet.codec import Cid
from knet.content.base import BlockSource
from knet.content.store import FileStore
from knet.errors import BlockTampered, CodecError
from knet.index.analyser import tokens
from knet.index.collection import LiveChunks
from knet.index.lexical import K1
from knet.index.lexical import Statistics as Bm25
from knet.index.shard import LoadedShard, Spans, read_shard
from knet.merkle import included
from knet.records import VECTOR_DTYPE, ShardRef, chunk_leaf

from .catalog import Catalog, CatalogEntry
from .postings import Postings

CACHED_TEXTS = 64  # of at most 1 MiB: a search reads the text of each candidate several times
EXTRA_CANDIDATES = 4  # beyond twice k: the order of candidates is not exact yet
HASH = 32


def text_cache(source: BlockSource) -> Callable[[Cid], str]:
    """Return a function that reads texts and caches the last ones; for any number of threads."""

    @lru_cache(CACHED_TEXTS)
    def read(cid: Cid) -> str:
        """Return a text. Raises as `BlockSource.get`, and CodecError."""
        try:
            return source.get(cid).decode()
        except UnicodeDecodeError as error:
            raise CodecError(f"the text {cid} is not UTF-8.") from error

    return read


class DiskShard:
    """One shard whose blocks stay on disk. When a proof does not hold, it verifies the shard and rebuilds the tree."""

    def __init__(
        self, store: FileStore, read_text: Callable[[Cid], str], catalog: Catalog, ref: ShardRef, entry: CatalogEntry
    ) -> None:
        self.ref = ref
        self.entry = entry
        self._store = store
        self._read_text = read_text
        self._catalog = catalog

    @cached_property
    def spans(self) -> Spans:
        spans: Spans = self._mapped(self.entry.chunks, "<u4")
        return spans

    @cached_property
    def vectors(self) -> npt.NDArray[np.float16]:
        vectors: npt.NDArray[np.float16] = self._mapped(self.entry.vectors, VECTOR_DTYPE)
        return vectors

    def _mapped(self, cid: Cid, kind: str) -> npt.NDArray[Any]:
        try:
            return np.frombuffer(self._store.view(cid), kind).reshape(self.ref.count, -1)
        except ValueError as error:
            raise BlockTampered(
                f"block {cid} of shard {self.ref.shard} is damaged: it does not hold {self.ref.count} rows."
            ) from error

    def text(self, chunk: int) -> str:
        _, start, end = self.spans[chunk].tolist()
        return self._read_text(self._document_and_text(chunk)[1])[start:end]

    def document(self, chunk: int) -> tuple[Cid, bytes]:
        cid = self._document_and_text(chunk)[0]
        return cid, self._store.get(cid)

    def _document_and_text(self, chunk: int) -> tuple[Cid, Cid]:
        return self._catalog.document(self.entry.id, int(self.spans[chunk, 0]))

    def proof(self, chunk: int) -> tuple[bytes, list[bytes]]:
        """Return a chunk's leaf hash and an inclusion proof that holds. Raises what `read_shard` raises on damaged
        blocks.
        """
        leaf, path = self._leaf(chunk), proof_path(self._catalog.levels(self.entry.id), self.ref.count, chunk)
        if not included(leaf, chunk, self.ref.count, path, self.ref.root):
            levels = tree_bytes(read_shard(self._store, self.ref))
            self._catalog.put_levels(self.entry.id, levels)
            path = proof_path(levels, self.ref.count, chunk)
        return leaf, path

    def _leaf(self, chunk: int) -> bytes:
        _, start, end = self.spans[chunk].tolist()
        return chunk_leaf(
            self._document_and_text(chunk)[0], start, end, self.text(chunk), self.vectors[chunk].tobytes()
        )

    def leaves(self) -> bytes:
        """Return the leaf hashes of all chunks, 32 bytes each, as cached in the index."""
        return self._catalog.levels(self.entry.id)[: HASH * self.ref.count]

    def find(self, document: Cid, start: int, end: int) -> int | None:
        if self.entry.id not in self._catalog.shards_with(document):
            return None
        listed = self._catalog.documents(self.entry.id)
        wanted = (listed.index(document.raw) if document.raw in listed else -1, start, end)
        found = np.flatnonzero((self.spans.astype(np.int64) == wanted).all(axis=1))
        return int(found[0]) if len(found) else None


def tree_bytes(shard: LoadedShard) -> bytes:
    """Return the Merkle tree of a verified shard: its levels in sequence, lowest first."""
    return b"".join(b"".join(level) for level in shard.tree.levels)


def proof_path(levels: bytes, size: int, index: int) -> list[bytes]:
    """Return the inclusion proof of one leaf, from a tree of ``size`` leaves as `tree_bytes` writes it (see
    `Tree.path`).
    """
    path, first = [], 0
    while size > 1:
        if (sibling := index ^ 1) < size:
            path.append(levels[HASH * (first + sibling) : HASH * (first + sibling + 1)])
        first, index, size = first + size, index >> 1, (size + 1) >> 1
    return path


class DiskLexicalIndex:
    """Candidates from the word index, with the exact BM25 scores that `MemoryLexical` gives."""

    def __init__(
        self, catalog: Catalog, postings: Postings, row_of: npt.NDArray[np.int32], text: Callable[[int], str]
    ) -> None:
        """``row_of`` maps a chunk number to its row, -1 where it is not live; ``text`` returns the text of a row."""
        self._catalog = catalog
        self._postings = postings
        self._row_of = row_of
        self._text = text

    def score(self, question: str, k: int, others: Callable[[], Iterable[int]]) -> dict[int, float]:
        found = self._catalog.statistics(set(tokens(question)))
        if not found.df:
            return dict.fromkeys(others(), 0.0)
        bm25 = Bm25(found.chunks, found.length / max(found.chunks, 1), found.df)
        weights = {term: bm25.idf(term) for term in found.df}
        candidates, given = self._candidates(found.df, 2 * k + EXTRA_CANDIDATES), list(others())
        scores = {
            row: bm25.score(weights, tokens(self._text(row))) / (K1 + 1)  # the constant factor that BM25S leaves out
            for row in {*given, *candidates}
        }
        best = nsmallest(k, (row for row, score in scores.items() if score > 0), key=lambda row: (-scores[row], row))
        return {row: scores[row] for row in {*given, *best}}

    def _candidates(self, terms: Iterable[str], count: int) -> list[int]:
        """Return up to ``count`` live rows. Asks for more when the index also returns chunks removed since."""
        requested = count
        while True:
            numbers = self._postings.candidates(list(terms), requested)
            known = [number for number in numbers if number < len(self._row_of)]
            live = [row for row in self._row_of[known].tolist() if row >= 0]
            if len(live) >= count or len(numbers) < requested:
                return live[:count]
            requested *= 4


def row_numbers(rows: LiveChunks, shards: list[DiskShard]) -> npt.NDArray[np.int32]:
    """Return the row of each chunk number of the catalog, -1 for chunks that this manifest lacks or has removed."""
    size = max((shard.entry.first + shard.ref.count for shard in shards), default=0)
    row_of = np.full(size, -1, np.int32)
    for place, shard in enumerate(shards):
        first, end = rows.first[place], rows.first[place + 1]
        row_of[shard.entry.first + rows.of(place)] = np.arange(first, end)
    return row_of


def numbered_vectors(
    rows: LiveChunks, shards: list[DiskShard]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Yield the numbers and vectors ``(chunks, dimension)`` float32 of all live chunks, a shard at a time."""
    for place, shard in enumerate(shards):
        chunks = rows.of(place)
        yield shard.entry.first + chunks.astype(np.int64), shard.vectors[chunks].astype(np.float32)
