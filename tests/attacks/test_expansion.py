"""A megabyte of published blocks that would become gigabytes in memory is refused on every way to load a collection.

Threat model: node, overlapping chunks and repeated shards. Memory is measured, not inferred.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from msgspec.structs import replace

from knet.client.network import Network
from knet.codec import MAX_CHUNK, Cid
from knet.content.base import BlockStore, put_record
from knet.content.store import FileStore, MemoryStore
from knet.dsi.datasets import read_node
from knet.errors import CodecError
from knet.index.card import make_card
from knet.index.collection import Collection
from knet.index.expansion import FREE_EXPANSION
from knet.index.lexical import term_statistics
from knet.index.shard import encode_vector
from knet.merkle import Tree
from knet.records import Document, Head, Manifest, NodeEntry, Shard, ShardRef, Space, chunk_leaf
from knet.routing.node_view import load_view
from knet.search.private import FutureCache
from knet.vectorstore import KnetVectorStore

SPACE = Space(model="m", weights=b"", dimension=128)
TEXT = "heron " * (1 << 17)  # 768 KiB
VECTOR = encode_vector(np.eye(1, SPACE.dimension, dtype=np.float32)[0])
COUNT = 4_000  # chunks of a shard, of 8 KiB each: 32 MB, and 16 GB when it is named 512 times
NAMED = 512  # shards of a manifest that private mode fetches
SIMILAR = 24  # shards that differ: they expand far enough
MAX_MEMORY = 160 << 20

Attack = Callable[[BlockStore], list[ShardRef]]


def overlapping(document: int = 0, count: int = COUNT, first: int = 0) -> list[tuple[int, int, int]]:
    return [(document, first + n % 1000, first + n % 1000 + MAX_CHUNK) for n in range(count)]


def shard(
    store: BlockStore, spans: list[tuple[int, int, int]], documents: list[Document], text: str = TEXT
) -> ShardRef:
    """Store a shard of any spans, which `write_shards` would not write."""
    cids = [put_record(store, document) for document in documents]
    record = Shard(
        space=put_record(store, SPACE),
        count=len(spans),
        dimension=SPACE.dimension,
        documents=cids,
        chunks=store.put(np.array(spans, "<u4").tobytes()),
        vectors=store.put(VECTOR * len(spans)),
        lexical=put_record(store, term_statistics([])),
    )
    leaves = [chunk_leaf(cids[at], start, end, text[start:end], VECTOR) for at, start, end in spans]
    return ShardRef(shard=put_record(store, record), root=Tree(leaves).root, count=len(spans))


def document(store: BlockStore, title: str = "", text: str = TEXT) -> Document:
    return Document(uri="a", text=store.put(text.encode()), title=title)


def one_shard_many_times(store: BlockStore) -> list[ShardRef]:
    return [shard(store, overlapping(count=200), [document(store)])] * NAMED


def one_shard_that_overlaps(store: BlockStore) -> list[ShardRef]:
    return [shard(store, overlapping(count=COUNT), [document(store)])]


def shards_that_differ_in_one_span(store: BlockStore) -> list[ShardRef]:
    return [shard(store, [(0, 0, 1 + n), *overlapping(count=200)], [document(store)]) for n in range(SIMILAR)]


def documents_that_differ_in_their_title(store: BlockStore) -> list[ShardRef]:
    return [shard(store, overlapping(count=200), [document(store, str(n))]) for n in range(SIMILAR)]


def shards_with_the_same_vectors(store: BlockStore) -> list[ShardRef]:
    return [shard(store, [(0, 0, 1)] * COUNT, [document(store, str(n), "a")], "a") for n in range(SIMILAR)]


def spans_that_alternate_between_two_documents(store: BlockStore) -> list[ShardRef]:
    """Each span costs the reading of a whole text."""
    both = [document(store), document(store, "b")]
    return [shard(store, list(islice(cycle([(0, 0, 1), (1, 0, 1)]), 1_000)), both)]


def one_document_named_many_times(store: BlockStore) -> list[ShardRef]:
    return [shard(store, [(0, 0, 1)], [document(store, "x" * 512)] * 20_000)]


def texts_of_wide_characters(store: BlockStore) -> list[ShardRef]:
    """One character beyond 16 bits makes each of a chunk's characters take four bytes."""
    text = "\U0001f600" + "a " * 4000
    return [shard(store, [(0, 0, 7000)] * COUNT, [document(store, text=text)], text)]


ATTACKS: list[Attack] = [
    one_shard_many_times,
    one_shard_that_overlaps,
    shards_that_differ_in_one_span,
    documents_that_differ_in_their_title,
    shards_with_the_same_vectors,
    spans_that_alternate_between_two_documents,
    one_document_named_many_times,
    texts_of_wide_characters,
]


def publish(store: BlockStore, refs: list[ShardRef]) -> Cid:
    chunks = sum(ref.count for ref in refs)
    manifest = Manifest(
        node=1,
        sequence=1,
        previous=None,
        space=put_record(store, SPACE),
        shards=refs,
        card=put_record(store, replace(make_card(SPACE, [], title="", documents=1), chunks=chunks)),
        documents=1,
        chunks=chunks,
        time=int(time.time()),
    )
    return put_record(store, manifest)


def privately(store: FileStore, head: Cid, folder: Path) -> None:
    FutureCache(Collection.load).load(head, store).result()


def as_vector_store(store: FileStore, head: Cid, folder: Path) -> None:
    heads = SimpleNamespace(heads=lambda node: [SimpleNamespace(manifest=head)])
    network = SimpleNamespace(chain=SimpleNamespace(manifests=heads), source_of=lambda node: store)
    KnetVectorStore.open(cast(Network, network), 1)


def for_training(store: FileStore, head: Cid, folder: Path) -> None:
    read_node(folder)


LOADERS: list[Callable[[FileStore, Cid, Path], Any]] = [privately, as_vector_store, for_training]


@contextmanager
def bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_MEMORY, f"{peak >> 20} MiB"


@pytest.fixture(scope="module", params=ATTACKS, ids=lambda attack: attack.__name__)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cid]:
    """Home of a node with a hostile publication, and its head."""
    folder = tmp_path_factory.mktemp("attacked")
    store = FileStore(folder / "blocks")
    with store.batch():
        return folder, publish(store, request.param(store))


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_blocks_that_expand_are_refused_in_bounded_memory(
    attacked: tuple[Path, Cid], load: Callable[[FileStore, Cid, Path], Any]
) -> None:
    folder, head = attacked
    with bounded_memory(), pytest.raises(CodecError, match=r"twice|expands to more"):
        load(FileStore(folder / "blocks"), head, folder)


def test_most_that_a_small_collection_expands_to_is_bounded(tmp_path: Path) -> None:
    """The worst content below the limits: words of one wide letter, which cost most in the index of words."""
    store = MemoryStore()
    text = "\U0001d400 a " * 2000
    spans = [(0, n, n + 4000) for n in range(FREE_EXPANSION // 4200)]
    head = publish(store, [shard(store, spans, [document(store, text=text)], text)])
    with bounded_memory():
        assert len(Collection.load(store, head)) == len(spans)


def test_node_that_names_a_shard_twice_is_not_asked(tmp_path: Path) -> None:
    store = MemoryStore()
    head = publish(store, one_shard_many_times(store))
    at = Head(manifest=head, sequence=1, block=1, time=0, transaction="")
    found = load_view(NodeEntry(node=1, owner="", wallet="", endpoint="", head=at), store)
    assert "names a shard twice" in str(found)
