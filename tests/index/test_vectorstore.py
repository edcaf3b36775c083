"""Tests of LangChain vector stores as vector indexes: real ones, and faulty ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from knet.config import Profile
from knet.content.base import get_record, put_record
from knet.errors import ConfigError, StoreError
from knet.index.collection import Collection
from knet.index.vectorstore_index import VectorStoreIndexFactory
from knet.records import Manifest, Tombstone
from tests.network.clients import open_client, own_network
from tests.network.support import make_node, open_node, start_nodes

from .stores import Broken, Forgetful, Lying, in_memory, qdrant
from .test_collection import Blocks, publish


@pytest.fixture(params=[in_memory, qdrant, Forgetful, Lying], ids=lambda store: store.__name__)
def open_store(request: pytest.FixtureRequest) -> Callable[[Embeddings], VectorStore]:
    if request.param is qdrant:
        pytest.importorskip("langchain_qdrant", reason="Qdrant is not installed: pip install langchain-qdrant")
    return request.param  # type: ignore[no-any-return]


def test_vector_store_search_equals_exact_search(
    open_store: Callable[[Embeddings], VectorStore], tmp_path: Path
) -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks)
    exact = Collection.load(blocks, cid)
    engine = VectorStoreIndexFactory(open_store, tmp_path / "keys")
    collection = Collection.load(blocks, cid, index=engine)
    for row in range(0, 120, 7):
        found, expected = (c.search("word7", vectors[row], k=6) for c in (collection, exact))
        # a liar takes the place of one candidate: that costs recall, and adds nothing
        assert [f.chunk for f in found if f in expected] == [f.chunk for f in found]
        assert len(found) >= len(expected) - (open_store is Lying)
        assert found[0] == expected[0]


def test_vector_store_follows_the_collection(open_store: Callable[[Embeddings], VectorStore], tmp_path: Path) -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks)
    given: list[int] = []

    def watched(embeddings: Embeddings) -> VectorStore:
        store = open_store(embeddings)
        add = store.add_texts

        def add_texts(texts: list[str], **options: object) -> list[str]:
            given.append(len(texts))
            return add(texts, **options)  # type: ignore[arg-type]

        store.add_texts = add_texts  # type: ignore[method-assign, assignment]
        return store

    engine = VectorStoreIndexFactory(watched, tmp_path / "keys")
    Collection.load(blocks, cid, index=engine)
    assert given == [120]
    manifest = get_record(blocks, cid, Manifest)
    shard = msgspec.structs.replace(manifest.shards[0], removed=[Tombstone(start=3, stop=6)])
    for tombstones, again in (([shard], []), ([manifest.shards[0]], [3]), ([manifest.shards[0]], [])):
        block = msgspec.structs.replace(manifest, shards=tombstones)
        given.clear()
        collection = Collection.load(blocks, put_record(blocks, block), index=engine)
        assert given == again, "only what is new is added"
        alive = {f.chunk for row in (3, 4, 5) for f in collection.search("", vectors[row], k=3)}
        assert (alive & {3, 4, 5} == set()) == bool(block.shards[0].removed)


def test_emptied_store_is_filled_again(tmp_path: Path) -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks)
    Collection.load(blocks, cid, index=VectorStoreIndexFactory(in_memory, tmp_path / "keys"))
    collection = Collection.load(blocks, cid, index=VectorStoreIndexFactory(in_memory, tmp_path / "keys"))
    assert collection.search("", vectors[9], k=1)[0].chunk == 9


def test_store_on_disk_is_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_qdrant", reason="Qdrant is not installed: pip install langchain-qdrant")
    monkeypatch.setenv("QDRANT", str(tmp_path / "qdrant"))
    blocks = Blocks()
    cid, vectors = publish(blocks)
    opened: list[VectorStore] = []

    def remembered(embeddings: Embeddings) -> VectorStore:
        opened.append(qdrant(embeddings))
        return opened[-1]

    Collection.load(blocks, cid, index=VectorStoreIndexFactory(remembered, tmp_path / "keys"))
    opened[-1].client.close()  # type: ignore[attr-defined]

    def refuses(*arguments: object, **options: object) -> list[str]:
        raise AssertionError("it holds everything already")

    def reopened(embeddings: Embeddings) -> VectorStore:
        store = remembered(embeddings)
        store.add_texts = refuses  # type: ignore[method-assign]
        return store

    collection = Collection.load(blocks, cid, index=VectorStoreIndexFactory(reopened, tmp_path / "keys"))
    assert collection.search("", vectors[9], k=1)[0].chunk == 9
    opened[-1].client.close()  # type: ignore[attr-defined]


def test_vector_store_receives_no_text(tmp_path: Path) -> None:
    blocks = Blocks()
    cid, _ = publish(blocks, 3)
    opened: list[VectorStore] = []

    def remembered(embeddings: Embeddings) -> VectorStore:
        opened.append(in_memory(embeddings))
        return opened[-1]

    Collection.load(blocks, cid, index=VectorStoreIndexFactory(remembered, tmp_path / "keys"))
    (store,) = opened
    held = store.similarity_search_by_vector([1.0] * 16, k=100)
    assert len(held) > 1
    for document in held:
        assert len(bytes.fromhex(document.page_content)) == 32
        assert document.metadata == {}


def test_failing_store_is_a_store_error(tmp_path: Path) -> None:
    blocks = Blocks()
    cid, vectors = publish(blocks, 3)
    collection = Collection.load(blocks, cid, index=VectorStoreIndexFactory(Broken, tmp_path / "keys"))
    with pytest.raises(StoreError, match="did not answer: ConnectionError: connection refused"):
        collection.search("word1", vectors[0], k=1)

    def unreachable(embeddings: Embeddings) -> VectorStore:
        raise TimeoutError("no server")

    with pytest.raises(StoreError, match="no server"):
        Collection.load(blocks, cid, index=VectorStoreIndexFactory(unreachable, tmp_path / "other"))


def test_search_in_empty_collection_is_empty(tmp_path: Path) -> None:
    engine = VectorStoreIndexFactory(in_memory, tmp_path / "keys")
    assert engine(np.zeros((0, 16), np.float32), []).nearest(np.ones(16, np.float32), 3).tolist() == []


DOCUMENTS = {f"{n}.md": f"Chapter {n} tells of {word} and nothing else." for n, word in enumerate(
    ("moths", "beetles", "wasps", "ants", "flies")
)}  # fmt: skip


@pytest.mark.parametrize("index", ["in_memory", "qdrant"])
def test_node_with_vector_store_returns_proofs(index: str, devnet: Profile, tmp_path: Path) -> None:
    if index == "qdrant":
        pytest.importorskip("langchain_qdrant", reason="Qdrant is not installed: pip install langchain-qdrant")
    profile = own_network(devnet, f"engine-{index.replace('_', '-')}")
    with (
        start_nodes(tmp_path, profile, [DOCUMENTS], index=f"{__package__}.stores:{index}") as nodes,
        open_client(profile, tmp_path / "client") as net,
    ):
        answer = net.ask("Which chapter tells of wasps?", k=2)
        assert answer.passages[0].text == DOCUMENTS["2.md"]
        assert answer.verify().ok, "proofs do not depend on the vector index"
        assert len((nodes[0].node.folder / "index.keys").read_bytes()) == 32 * len(DOCUMENTS)


def test_index_setting_without_function_is_refused(devnet: Profile, tmp_path: Path) -> None:
    make_node(tmp_path / "node", {}, devnet, index="nowhere:open")
    with pytest.raises(ConfigError, match="nowhere:open"):
        _ = open_node(tmp_path / "node", devnet).index
