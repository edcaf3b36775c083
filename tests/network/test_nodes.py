"""Several real nodes on one chain, each with its key and its collection."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from knet.chain.evm import EvmChain
from knet.chain.receipts import recover
from knet.codec import cid_of, decode, encode
from knet.config import Profile
from knet.content.gateway import GatewaySource
from knet.http import HttpClient
from knet.index.collection import Collection
from knet.records import Document, SearchReply, SearchRequest
from knet_indexer.server.negotiation import DAG_CBOR

from .clients import own_network
from .support import WORD_SPACE, RunningNode, WordEmbedder, start_nodes

TOPICS = ["herons", "bridges", "comets", "cheeses", "glaciers", "violins"]
COLLECTIONS = [
    {f"{topic}.md": " ".join(f"Fact {number} about {topic} is told here." for number in range(30))} for topic in TOPICS
]

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def profile(devnet: Profile) -> Profile:
    return own_network(devnet, "many")


@pytest.fixture(scope="module")
def nodes(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    with start_nodes(tmp_path_factory.mktemp("many"), profile, COLLECTIONS) as running:
        yield running


def ask(node: RunningNode, question: str) -> SearchReply:
    vector = WordEmbedder().encode([question], query=True)[0].astype("<f4").tobytes()
    asked = SearchRequest(question=question, client=b"c" * 20, salt=b"s" * 16, space=cid_of(WORD_SPACE), vector=vector)
    response = httpx.post(
        f"{node.endpoint}/v1/search", content=encode(asked), headers={"Content-Type": DAG_CBOR}, timeout=30
    )
    assert response.status_code == 200
    return decode(response.content, SearchReply)


def test_chain_has_the_endpoint_and_head_of_every_node(nodes: list[RunningNode], profile: Profile) -> None:
    directory = EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes
    assert {number: entry.endpoint for number, entry in directory.items()} == {
        node.identity: node.endpoint for node in nodes
    }
    assert len({entry.wallet for entry in directory.values()}) == len(nodes)


def test_node_answers_from_its_collection_and_signs(nodes: list[RunningNode], profile: Profile) -> None:
    deployment = profile.deployment
    directory = EvmChain(profile.rpc, deployment).registry_snapshot().nodes
    for node, topic in zip(nodes, TOPICS, strict=True):
        reply = ask(node, f"What is fact 7 about {topic}?")
        assert topic in reply.hits[0].text
        assert {decode(block, Document).uri for block in reply.documents} == {
            f"folder:{node.documents.name}/{topic}.md"
        }
        assert recover(reply.receipt, deployment.chain_id, deployment.reliability) == directory[node.identity].wallet
        head = directory[node.identity].head
        assert head is not None
        assert reply.manifest == head.manifest


def test_collection_is_fetched_from_the_nodes_gateway(nodes: list[RunningNode]) -> None:
    manifest = ask(nodes[0], "fact").manifest
    with HttpClient(addresses="loopback") as http:
        collection = Collection.load(GatewaySource(http, [nodes[0].endpoint]), manifest)
    assert len(collection) == collection.manifest.chunks > 0
    texts = " ".join(shard.text(chunk) for shard in collection.shards for chunk in range(shard.ref.count))
    assert TOPICS[0] in texts
    assert not any(topic in texts for topic in TOPICS[1:])


def test_change_of_one_node_does_not_affect_the_others(nodes: list[RunningNode]) -> None:
    before = [ask(node, "fact").manifest for node in nodes[1:]]
    (nodes[0].documents / "herons.md").write_text("Herons were replaced by egrets.")
    nodes[0].update()
    assert [ask(node, "fact").manifest for node in nodes[1:]] == before
