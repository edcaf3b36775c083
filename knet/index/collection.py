"""Search in one collection: the live chunks of one manifest, dense and BM25, with an inclusion proof for each hit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from ..codec import Cid, cid_of
from ..content.base import BlockSource, get_record
from ..errors import SpaceMismatch
from ..merkle import Tree
from ..records import Card, Hit, Manifest, Record, ShardRef, Space
from .bm25 import LexicalIndex, MemoryLexical
from .dense import DenseIndex, DenseIndexFactory, ExactIndex
from .shard import LoadedShard, ShardView, Vectors, live_mask, read_shards

RESULTS_TAG = b"knet/results/1"


class ScoredChunk(Record, frozen=True):
    """Chunk with the score of each retriever."""

    shard: int
    chunk: int
    scores: dict[str, float]


class LiveChunks:
    """Row numbers of a manifest's live chunks, in the manifest's order; retrievers return these rows."""

    def __init__(self, refs: Sequence[ShardRef]) -> None:
        chunks = [np.flatnonzero(live_mask(ref)).astype(np.uint32) for ref in refs]
        self.first: npt.NDArray[np.int64] = np.cumsum([0, *map(len, chunks)], dtype=np.int64)  # of each shard
        self._chunks = np.concatenate([np.zeros(0, np.uint32), *chunks])

    def __len__(self) -> int:
        return len(self._chunks)

    def place(self, row: int) -> tuple[int, int]:
        """Return the shard and chunk of a row."""
        return int(np.searchsorted(self.first, row, "right")) - 1, int(self._chunks[row])

    def of(self, shard: int) -> npt.NDArray[np.uint32]:
        """Return the live chunks of one shard."""
        return self._chunks[self.first[shard] : self.first[shard + 1]]


class Collection:
    """Searchable chunks of one manifest. Immutable; a new manifest is a new collection."""

    def __init__(
        self,
        cid: Cid,
        manifest: Manifest,
        space: Space,
        card: Card,
        shards: Sequence[ShardView],
        dense: DenseIndex,
        lexical: LexicalIndex,
        executor: Executor | None = None,
    ) -> None:
        """Take indexes whose rows are the manifest's `LiveChunks`; with an ``executor`` they run in parallel."""
        self.cid = cid
        self.manifest = manifest
        self.space = space
        self.card = card
        self.shards = shards
        self._rows = LiveChunks(manifest.shards)
        self._dense = dense
        self._lexical = lexical
        self._executor = executor

    @classmethod
    def load(cls, source: BlockSource, cid: Cid, *, index: DenseIndexFactory = ExactIndex) -> Collection:
        """Fetch and check everything that a manifest names, into memory; ``index`` builds the vector index.

        Raises as `read_shards`, SpaceMismatch, and StoreError when the index cannot be built.
        """
        manifest, space, card = read_head(source, cid)
        shards = []
        for shard in read_shards(source, manifest.shards):
            require_space(shard, space)
            shards.append(shard)
        return cls.in_memory(cid, manifest, space, card, shards, index)

    @classmethod
    def in_memory(
        cls,
        cid: Cid,
        manifest: Manifest,
        space: Space,
        card: Card,
        shards: Sequence[LoadedShard],
        index: DenseIndexFactory = ExactIndex,
    ) -> Collection:
        """Return the collection of loaded shards. Raises StoreError when the index cannot be built."""
        vectors, keys, texts = [np.zeros((0, space.dimension), np.float16)], [], []
        for shard in shards:
            chunks = np.flatnonzero(live_mask(shard.ref))
            vectors.append(shard.vectors[chunks])
            keys += [shard.leaves[chunk] for chunk in chunks]
            texts += [shard.texts[chunk] for chunk in chunks]
        dense = index(np.concatenate(vectors).astype(np.float32), keys)
        return cls(cid, manifest, space, card, shards, dense, MemoryLexical(texts))

    def __len__(self) -> int:
        return len(self._rows)

    def search(self, question: str, vector: Vectors, k: int) -> list[ScoredChunk]:
        """Return the union of the best ``k`` of each retriever, with every score for each, best cosine first.

        ``vector`` is ``(dimension,)`` float32 in this collection's space. Raises SpaceMismatch on another shape.
        """
        if vector.shape != (self.space.dimension,):
            raise SpaceMismatch(
                f"The query vector has shape {vector.shape}; space {cid_of(self.space)} has {self.space.dimension}."
            )
        if not len(self):
            return []
        find = partial(self._dense.nearest, vector, min(k, len(self)))
        nearest = self._executor.submit(find).result if self._executor else find
        lexical = self._lexical.score(question, k, lambda: nearest().tolist())
        rows = sorted(lexical)
        if not rows:  # a vector index may find nothing
            return []
        places = [self._rows.place(row) for row in rows]
        cosine = np.stack([self.shards[shard].vectors[chunk] for shard, chunk in places]).astype(np.float32) @ vector
        return [
            ScoredChunk(
                shard=places[i][0],
                chunk=places[i][1],
                scores={"dense": float(cosine[i]), "bm25": lexical[rows[i]]},
            )
            for i in np.argsort(-cosine, kind="stable")
        ]

    def find(self, document: Cid, start: int, end: int) -> tuple[int, int] | None:
        """Return shard and chunk of a live passage, or None."""
        for number, shard in enumerate(self.shards):
            chunk = shard.find(document, start, end)
            if chunk is not None and live_mask(shard.ref)[chunk]:
                return number, chunk
        return None

    def prove(self, chunks: list[ScoredChunk]) -> tuple[list[bytes], list[Hit], list[bytes]]:
        """Return the Document blocks of some chunks, hits with inclusion proofs, and the leaves for a receipt."""
        blocks: dict[Cid, int] = {}
        documents: list[bytes] = []
        hits, leaves = [], []
        for item in chunks:
            shard = self.shards[item.shard]
            _, start, end = shard.spans[item.chunk].tolist()
            cid, block = shard.document(item.chunk)
            if cid not in blocks:
                blocks[cid] = len(documents)
                documents.append(block)
            leaf, path = shard.proof(item.chunk)
            leaves.append(leaf)
            hits.append(
                Hit(
                    document=blocks[cid],
                    shard=item.shard,
                    chunk=item.chunk,
                    start=start,
                    end=end,
                    text=shard.text(item.chunk),
                    vector=shard.vectors[item.chunk].tobytes(),
                    path=path,
                    scores=item.scores,
                )
            )
        return documents, hits, leaves


def read_head(source: BlockSource, cid: Cid) -> tuple[Manifest, Space, Card]:
    """Return a manifest with its space and card. Raises as `BlockSource.get`, CodecError and SpaceMismatch."""
    manifest = get_record(source, cid, Manifest)
    space = get_record(source, manifest.space, Space)
    card = get_record(source, manifest.card, Card)
    if manifest.space != card.space:
        raise SpaceMismatch(f"Card {manifest.card} is of space {card.space}, its manifest of {manifest.space}.")
    return manifest, space, card


def require_space(shard: LoadedShard, space: Space) -> None:
    """Raise SpaceMismatch for a shard whose vectors have another dimension than the space of its manifest."""
    if (found := shard.vectors.shape[1]) != space.dimension:
        raise SpaceMismatch(f"Shard {shard.ref.shard} has {found} dimensions, its space {space.dimension}.")


def results_root(leaves: list[bytes], salt: bytes) -> bytes:
    """Return a receipt's commitment to the hits: sha2-256 of the request's salt and the Merkle root of their leaves.

    Ratings publish receipts. Leaves come from public passages, so without the salt a reader could tell which of some
    guessed questions was asked by searching for each.
    """
    return sha256(RESULTS_TAG + salt + Tree(leaves).root).digest()
