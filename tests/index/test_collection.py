"""Tests of a collection: written as blocks, read back, searched, with proofs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from knet.codec import RAW, Cid, encode
from knet.content.base import put_record
from knet.errors import BlockNotFound, NotIncluded, SpaceMismatch
from knet.index.card import CENTROIDS, Batch, make_card
from knet.index.collection import Collection, results_root
from knet.index.shard import Chunk, decode_vector, encode_vector, write_shards
from knet.merkle import included
from knet.records import Document, Manifest, Space, Tombstone

SPACE = Space(model="test", weights=b"w" * 32, dimension=16)


@dataclasses.dataclass
class Blocks:
    kept: dict[Cid, bytes] = dataclasses.field(default_factory=dict)

    def get(self, cid: Cid) -> bytes:
        try:
            return cid.check(self.kept[cid])
        except KeyError:
            raise BlockNotFound(str(cid)) from None

    def has(self, cid: Cid) -> bool:
        return cid in self.kept

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        cid = Cid.of(data, codec)
        self.kept[cid] = data
        return cid

    def delete(self, cid: Cid) -> None:
        self.kept.pop(cid, None)

    def __iter__(self) -> Iterator[Cid]:
        return iter(list(self.kept))


def publish(blocks: Blocks, documents: int = 40, tombstones: list[Tombstone] | None = None) -> tuple[Cid, np.ndarray]:
    rng = np.random.default_rng(3)
    chunks, vectors, texts = [], [], []
    for number in range(documents):
        parts = [f"Topic {number} part {part}: word{number} and filler." for part in range(3)]
        text = "\n".join(parts)
        document = Document(uri=f"doc:{number}", text=blocks.put(text.encode()), title=f"Document {number}")
        for part in parts:
            vector = rng.normal(size=SPACE.dimension).astype(np.float32)
            vector /= np.linalg.norm(vector)
            start = text.index(part)
            chunks.append(
                Chunk(document=document, start=start, end=start + len(part), text=part, vector=encode_vector(vector))
            )
            vectors.append(vector)
            texts.append(part)
    shards = write_shards(blocks, SPACE, chunks)
    if tombstones:
        shards[0] = msgspec.structs.replace(shards[0], removed=tombstones)
    rows = np.array(vectors)
    card = make_card(SPACE, [Batch(rows, texts)], title="Test", documents=documents)
    manifest = Manifest(
        node=1,
        sequence=1,
        previous=None,
        space=put_record(blocks, SPACE),
        shards=shards,
        card=put_record(blocks, card),
        documents=documents,
        chunks=len(chunks),
        time=1,
    )
    return put_record(blocks, manifest), rows


def test_search_equals_exact_search_with_proofs() -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks)
    collection = Collection.load(blocks, cid)
    found = collection.search("word7", vectors[5], k=4)
    assert found[0].chunk == 5
    exact = np.argsort(-(vectors @ vectors[5]))[:4]
    assert {f.chunk for f in found} >= set(exact.tolist())
    assert {21, 22, 23} & {f.chunk for f in found if f.scores["bm25"] > 0}, "BM25 brings the chunks that say word7"
    documents, hits, leaves = collection.prove(found)
    root = collection.manifest.shards[0].root
    for hit, leaf in zip(hits, leaves, strict=True):
        assert included(leaf, hit.chunk, 120, hit.path, root)
        assert decode_vector(hit.vector) @ vectors[5] == pytest.approx(hit.scores["dense"], abs=1e-3)
        assert documents[hit.document]
    root = results_root(leaves, b"s" * 16)
    assert len(root) == 32
    assert root != results_root(leaves, b"t" * 16), "public passages alone do not give it away"


def test_removed_chunks_are_not_found() -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks, tombstones=[Tombstone(start=3, stop=6)])
    collection = Collection.load(blocks, cid)
    assert len(collection) == 117
    assert all(f.chunk not in (3, 4, 5) for f in collection.search("word1", vectors[5], k=10))


def test_shard_with_another_root_is_refused() -> None:
    blocks = Blocks()
    cid, _ = publish(blocks)
    collection = Collection.load(blocks, cid)
    shard = msgspec.structs.replace(collection.manifest.shards[0], root=b"\0" * 32)
    forged = put_record(blocks, msgspec.structs.replace(collection.manifest, shards=[shard]))
    with pytest.raises(NotIncluded, match="Merkle root"):
        Collection.load(blocks, forged)


def test_query_of_another_space_is_refused() -> None:
    blocks = Blocks()
    cid, _ = publish(blocks, 3)
    with pytest.raises(SpaceMismatch):
        Collection.load(blocks, cid).search("x", np.zeros(3, np.float32), 3)


def test_search_in_empty_collection_is_empty() -> None:
    blocks = Blocks()
    cid = _empty(blocks)
    collection = Collection.load(blocks, cid)
    assert collection.search("anything", np.zeros(16, np.float32), 3) == []


def _empty(blocks: Blocks) -> Cid:
    card = make_card(SPACE, [], title="Empty", documents=0)
    manifest = Manifest(
        node=1, sequence=1, previous=None, space=put_record(blocks, SPACE), shards=[], card=put_record(blocks, card),
        documents=0, chunks=0, time=1,
    )  # fmt: skip
    return put_record(blocks, manifest)


def test_cards_stay_small_and_count_every_chunk() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(3000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [" ".join(f"t{i}" for i in rng.integers(0, 30000, 40)) for _ in range(3000)]
    card = make_card(
        msgspec.structs.replace(SPACE, dimension=384), [Batch(vectors, texts)], title="Big", documents=3000
    )
    assert len(encode(card)) < 128 * 1024
    assert len(card.centroids) == CENTROIDS * 384 * 2
    assert np.frombuffer(card.weights, "<u4").sum() == 3000
    assert np.all(np.diff(np.frombuffer(card.terms, "<u4").astype(np.int64)) > 0)
