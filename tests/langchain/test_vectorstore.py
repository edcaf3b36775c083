"""A node's documents and a published collection as LangChain vector stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests
from msgspec.structs import replace

from knet.client.network import Network
from knet.config import Profile
from knet.errors import ConfigError, NotRegistered, SourceError, SpaceError
from knet.index.collection import Collection
from knet.vectorstore import KnetVectorStore
from knet_indexer.chunking import canonical
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from knet_indexer.vectorstore import NodeVectorStore
from tests.network.clients import funded_key, load_words, open_client
from tests.network.support import RunningNode, cut_words, make_node
from tests.small_network import COLLECTIONS, QUESTION


@pytest.fixture
def node(tmp_path: Path, devnet: Profile) -> Node:
    return make_node(tmp_path / "shelf", {}, devnet)


@pytest.fixture
def store(node: Node) -> NodeVectorStore:
    return NodeVectorStore(node)


class TestNodeVectorStore(VectorStoreIntegrationTests):
    """LangChain's own conformance suite, sync and async."""

    @pytest.fixture
    def vectorstore(self, store: NodeVectorStore) -> VectorStore:
        return store


def test_added_text_is_found_by_another_process(node: Node, store: NodeVectorStore) -> None:
    store.add_texts(["Moths fly at night.", "Bees fly by day."], [{"of": "moths"}, {"of": "bees"}], ids=["m", "b"])
    again = NodeVectorStore(node)
    assert again.similarity_search("night", k=1) == [
        Document(id="m", page_content="Moths fly at night.", metadata={"of": "moths"})
    ]
    assert again.delete()
    assert again.similarity_search("night") == []


def test_texts_are_returned_as_they_were_added(store: NodeVectorStore) -> None:
    """The node indexes the canonical text; the store returns the text as it was added."""
    texts = ["  spaced\r\nout \n", "decomposed e\u0301", '{"json": true}', "# Heading\n\nand text", "-" * 3000]
    ids = store.add_texts(texts, ids=["../../up", "a/b", "", "%2e", "€"])
    assert [document.page_content for document in store.get_by_ids(ids)] == texts
    assert {document.page_content for document in store.similarity_search("text", k=9)} >= set(texts[:4])


def test_long_document_is_found_by_its_parts(store: NodeVectorStore) -> None:
    chapters = [
        f"Chapter {word}. " + f"All of this is about {word} alone. " * 12 for word in ("ants", "wasps", "flies")
    ]
    text = "\n\n".join(chapters)
    assert len(cut_words(text)) > 2
    store.add_documents([Document(id="book", page_content=text, metadata={"shelf": 3})])
    best = store.similarity_search("wasps", k=1)[0]
    assert "wasps" in best.page_content
    start, end = best.metadata["start"], best.metadata["end"]
    assert best.id == f"book#{start}-{end}"
    assert best.metadata["shelf"] == 3
    assert canonical(text)[start:end] == best.page_content


def test_only_changed_texts_are_embedded(node: Node, store: NodeVectorStore) -> None:
    embedder = node.embedder
    store.add_texts([f"Text number {n}." for n in range(20)], ids=[str(n) for n in range(20)])
    before = embedder.texts  # type: ignore[attr-defined]
    store.add_texts(["Text number 5, again."], ids=["5"])
    assert embedder.texts == before + 1  # type: ignore[attr-defined]
    assert len(store.collection) == 20


def test_store_contains_the_folders_of_the_node(node: Node, store: NodeVectorStore, tmp_path: Path) -> None:
    (tmp_path / "shelf-documents" / "otter.md").write_text("Otters sleep on their backs.")
    store.add_texts(["Beavers sleep by day."])
    found = store.similarity_search("otters backs", k=1)[0]
    assert found.page_content == "Otters sleep on their backs."
    assert found.metadata["source"].endswith("otter.md")
    assert len(store.similarity_search("sleep", k=9)) == 2


def test_invalid_texts_are_refused_together(node: Node, store: NodeVectorStore) -> None:
    with pytest.raises(SourceError, match="a text is empty"):
        store.add_texts(["good", " \n"])
    with pytest.raises(ConfigError, match="cannot be written as JSON"):
        store.add_texts(["good"], [{"not": object()}])
    with pytest.raises(ConfigError, match="2 texts, 1 ids"):
        store.add_texts(["good", "better"], ids=["1"])
    with pytest.raises(ConfigError, match="no embedding"):
        NodeVectorStore.from_texts(["good"], store.embeddings, node=node)
    assert store.similarity_search("good") == []
    assert len(NodeVectorStore.from_texts(["good"], node=node).collection) == 1


async def test_added_texts_are_published(devnet: Profile, tmp_path: Path) -> None:
    node = make_node(tmp_path / "shelf", {}, devnet)
    await NodeVectorStore(node).aadd_texts(["A beaver builds a dam."], ids=["dam"])
    collection = Collection.load(node.store, publish(node).manifest)
    (found,) = await KnetVectorStore(collection, node.embedder).asimilarity_search("dam")
    assert found.page_content == "A beaver builds a dam."


@pytest.fixture
def published(net: Network, nodes: list[RunningNode], monkeypatch: pytest.MonkeyPatch) -> KnetVectorStore:
    monkeypatch.setattr("knet.vectorstore.load_embedder_for", load_words)
    return KnetVectorStore.open(net, nodes[0].identity)


def test_published_collection_is_searched(published: KnetVectorStore, nodes: list[RunningNode]) -> None:
    found = published.similarity_search_with_score(QUESTION, k=2)
    assert found[0][0].page_content == COLLECTIONS[0]["beaver.md"]
    assert found[0][1] > found[1][1]
    assert found[0][0].metadata["manifest"] == str(nodes[0].node.chain.manifests.heads(nodes[0].identity)[-1].manifest)
    assert published.get_by_ids([found[1][0].id or "", "nonsense", "bafy#1-2"]) == [found[1][0]]
    vector = published.embeddings.embed_query(QUESTION)
    assert published.similarity_search_by_vector(vector, k=2) == [document for document, _ in found]
    relevance = dict(enumerate(score for _, score in published.similarity_search_with_relevance_scores(QUESTION, k=2)))
    assert relevance[0] == pytest.approx((1 + found[0][1]) / 2)


def test_store_is_a_retriever_with_diversity(published: KnetVectorStore) -> None:
    plain = published.as_retriever(search_kwargs={"k": 1}).invoke(QUESTION)
    diverse = published.as_retriever(search_type="mmr", search_kwargs={"k": 3, "lambda_mult": 0.1}).invoke(QUESTION)
    assert diverse[0] == plain[0]
    assert len({document.id for document in diverse}) == 3


def test_published_collection_is_read_only(published: KnetVectorStore) -> None:
    with pytest.raises(NotImplementedError, match="owner"):
        published.add_texts(["mine"])
    with pytest.raises(NotImplementedError):
        KnetVectorStore.from_texts(["mine"])


def test_unavailable_store_raises_an_error_with_the_reason(
    net: Network, devnet: Profile, tmp_path: Path, nodes: list[RunningNode]
) -> None:
    with pytest.raises(NotRegistered):
        KnetVectorStore.open(net, 10**6)
    new = net.chain.identity.register(funded_key(devnet), "http://127.0.0.1:9")
    with pytest.raises(NotRegistered, match="published nothing"):
        KnetVectorStore.open(net, new)
    with (
        open_client(replace(net.profile, models=("other/model",)), tmp_path) as strict,
        pytest.raises(SpaceError, match="does not allow"),
    ):
        KnetVectorStore.open(strict, nodes[0].identity)
