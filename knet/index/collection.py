"""Search inside one collection: the live chunks of one manifest, dense and BM25, with a proof for each hit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import bm25s
import numpy as np
import numpy.typing as npt

from ..codec import Cid, cid_of
from ..content.base import BlockSource, get_record
from ..errors import SpaceMismatch
from ..merkle import Tree
from ..records import Card, Hit, Manifest, Record, Space
from .dense import ExactIndex, MakeIndex
from .lexical import K1, B, tokens
from .shard import LoadedShard, Vectors, check_space, read_shard


class Found(Record, frozen=True):
    """One chunk and what each retriever gave it."""

    shard: int
    chunk: int
    scores: dict[str, float]


class Collection:
    """The chunks of one manifest, ready to be searched. Immutable; a new manifest is a new collection."""

    def __init__(
        self,
        cid: Cid,
        manifest: Manifest,
        space: Space,
        card: Card,
        shards: list[LoadedShard],
        index: MakeIndex = ExactIndex,
    ) -> None:
        self.cid = cid
        self.manifest = manifest
        self.space = space
        self.card = card
        self.shards = shards
        self._place: list[tuple[int, int]] = []
        rows: list[npt.NDArray[np.float16]] = []
        corpus: list[list[str]] = []
        for number, shard in enumerate(shards):
            alive = np.flatnonzero(shard.alive())
            self._place += [(number, int(chunk)) for chunk in alive]
            rows.append(shard.vectors[alive])
            corpus += [tokens(shard.texts[chunk]) for chunk in alive]
        vectors = np.concatenate([np.zeros((0, space.dimension), np.float16), *rows]).astype(np.float32)
        self._dense = index(vectors, [shards[number].leaves[chunk] for number, chunk in self._place])
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._has_terms = any(corpus)
        if self._has_terms:
            self._bm25.index(corpus, show_progress=False)

    @classmethod
    def load(
        cls,
        source: BlockSource,
        cid: Cid,
        *,
        progress: Callable[[int], None] | None = None,
        index: MakeIndex = ExactIndex,
    ) -> Collection:
        """Fetch and check everything a manifest names; ``index`` finds candidates by vector.

        Raises what `read_shard` raises, SpaceMismatch, and StoreError when the index cannot be made.
        """
        manifest = get_record(source, cid, Manifest)
        space = get_record(source, manifest.space, Space)
        card = get_record(source, manifest.card, Card)
        shards = [read_shard(source, ref, progress=progress) for ref in manifest.shards]
        for ref, shard in zip(manifest.shards, shards, strict=True):
            if shard.vectors.shape[1] != space.dimension:
                raise SpaceMismatch(f"shard {ref.shard} has {shard.vectors.shape[1]} dimensions, its space another.")
        check_space(manifest.space, card.space, f"card {manifest.card}")
        return cls(cid, manifest, space, card, shards, index)

    def __len__(self) -> int:
        return len(self._place)

    def search(self, question: str, vector: Vectors, k: int) -> list[Found]:
        """The union of the best ``k`` by each retriever, every score for each, best cosine first.

        ``vector`` is ``(dimension,)`` float32 in this collection's space. Raises SpaceMismatch on another shape.
        """
        if vector.shape != (self.space.dimension,):
            raise SpaceMismatch(
                f"the query vector has shape {vector.shape}; space {cid_of(self.space)} has {self.space.dimension}."
            )
        if not self._place:
            return []
        nearest = self._dense.nearest(vector, min(k, len(self)))
        lexical = self._lexical(question)
        top = np.argpartition(-lexical, min(k, len(self)) - 1)[:k]
        rows = sorted({*nearest.tolist(), *top[lexical[top] > 0].tolist()})
        if not rows:  # an engine may find nothing
            return []
        places = [self._place[row] for row in rows]
        cosine = np.stack([self.shards[shard].vectors[chunk] for shard, chunk in places]).astype(np.float32) @ vector
        return [
            Found(
                shard=places[i][0],
                chunk=places[i][1],
                scores={"dense": float(cosine[i]), "bm25": float(lexical[rows[i]])},
            )
            for i in np.argsort(-cosine, kind="stable")
        ]

    def find(self, document: Cid, start: int, end: int) -> tuple[int, int] | None:
        """Shard and chunk of a live passage, or None."""
        return self._places.get((document, start, end))

    @cached_property
    def _places(self) -> dict[tuple[Cid, int, int], tuple[int, int]]:
        places = {}
        for shard, chunk in self._place:
            index, start, end = self.shards[shard].spans[chunk].tolist()
            places[self.shards[shard].document_blocks[index][0], start, end] = shard, chunk
        return places

    def _lexical(self, question: str) -> npt.NDArray[np.float32]:
        known = [t for t in dict.fromkeys(tokens(question)) if t in self._bm25.vocab_dict] if self._has_terms else []
        if not known:
            return np.zeros(len(self), np.float32)
        scores: npt.NDArray[np.float32] = self._bm25.get_scores(known)
        return scores

    def prove(self, found: list[Found]) -> tuple[list[bytes], list[Hit], list[bytes]]:
        """Hits with inclusion proofs: the Document blocks they point to, the hits, and their leaves (for a receipt)."""
        blocks: dict[Cid, int] = {}
        documents: list[bytes] = []
        hits, leaves = [], []
        for item in found:
            shard = self.shards[item.shard]
            index, start, end = shard.spans[item.chunk].tolist()
            cid, block = shard.document_blocks[index]
            if cid not in blocks:
                blocks[cid] = len(documents)
                documents.append(block)
            leaves.append(shard.leaves[item.chunk])
            hits.append(
                Hit(
                    document=blocks[cid],
                    shard=item.shard,
                    chunk=item.chunk,
                    start=start,
                    end=end,
                    text=shard.texts[item.chunk],
                    vector=shard.vectors[item.chunk].tobytes(),
                    path=shard.tree.path(item.chunk),
                    scores=item.scores,
                )
            )
        return documents, hits, leaves


def results_root(leaves: list[bytes]) -> bytes:
    """What a receipt commits to: the Merkle root over the leaves of the hits, in order."""
    return Tree(leaves).root
