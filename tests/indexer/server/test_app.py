"""A node's HTTP service: verifiable passages, receipts, publications, and refusals."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from knet.chain.evm import EvmChain
from knet.chain.receipts import recover
from knet.codec import Cid, cid_of, decode, encode, from_json, to_json
from knet.config import Profile
from knet.errors import NodeBusy
from knet.index.collection import results_root
from knet.merkle import included
from knet.records import Card, Document, SearchReply, SearchRequest, chunk_leaf
from knet.routing.service_status import ServiceStatus
from knet_indexer.cli.watch import resyncing
from knet_indexer.config import SourceConfig
from knet_indexer.node import Node
from knet_indexer.server import changes as changes_module
from knet_indexer.server.head import MAX_QUESTION
from knet_indexer.server.negotiation import DAG_CBOR, JSON, MAX_BODY
from knet_indexer.server.responses import ChangesReply, ManifestReply
from knet_indexer.server.run import listen, serving
from tests.network.support import (
    WORD_SPACE,
    RunningNode,
    WordEmbedder,
    make_node,
    open_node,
    start_nodes,
    write_documents,
)

TEXTS = {
    "graphs.md": "# Graphs\n\n" + " ".join(f"Vertex {n} of the graph meets an edge." for n in range(40)),
    "hashes.md": "# Hashes\n\n" + " ".join(f"Digest {n} commits to its datum." for n in range(40)),
}
QUESTION = "Which vertex meets an edge of the graph?"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, devnet: Profile) -> Iterator[RunningNode]:
    with start_nodes(tmp_path_factory.mktemp("service"), devnet, [TEXTS], licence="CC0-1.0") as (started,):
        yield started


@pytest.fixture(scope="module")
def http(node: RunningNode) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=node.endpoint, timeout=30) as client:
        yield client


def request(question: str = QUESTION, *, embed: bool = True, **changes: Any) -> SearchRequest:
    embedded = WordEmbedder().encode([question], query=True)[0].astype("<f4").tobytes()
    fields: dict[str, object] = {"question": question, "client": b"c" * 20, "salt": b"s" * 16, "k": 4}
    if embed:
        fields |= {"space": cid_of(WORD_SPACE), "vector": embedded}
    return SearchRequest(**{**fields, **changes})


def post(http: httpx.Client, body: bytes, content_type: str = DAG_CBOR, **headers: str) -> httpx.Response:
    return http.post("/v1/search", content=body, headers={"Content-Type": content_type, **headers})


def search(http: httpx.Client, asked: SearchRequest) -> SearchReply:
    response = post(http, encode(asked))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == DAG_CBOR
    return decode(response.content, SearchReply)


def assert_problem(response: httpx.Response, status: int, detail: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert detail in problem["detail"]


# --- search ------------------------------------------------------------------------------------------------------


def test_search_reply_is_proven_against_the_manifest_on_chain(
    node: RunningNode, http: httpx.Client, chain: EvmChain
) -> None:
    reply = search(http, request())
    head = chain.manifests.heads(node.identity)[-1]
    assert reply.manifest == head.manifest
    manifest = from_json(http.get("/v1/manifest").content, ManifestReply).manifest
    assert cid_of(manifest) == head.manifest
    assert "vertex" in reply.hits[0].text.lower()
    for hit in reply.hits:
        block = reply.documents[hit.document]
        ref = manifest.shards[hit.shard]
        leaf = chunk_leaf(Cid.of(block, 0x71), hit.start, hit.end, hit.text, hit.vector)
        assert included(leaf, hit.chunk, ref.count, hit.path, ref.root)
        assert decode(block, Document).licence == "CC0-1.0"


def test_receipt_is_signed_by_the_node_for_the_question(node: RunningNode, http: httpx.Client, chain: EvmChain) -> None:
    asked = request()
    reply = search(http, asked)
    receipt = reply.receipt.receipt
    deployment = chain.deployment
    assert recover(reply.receipt, deployment.chain_id, deployment.reliability) == chain.identity.signer_of(
        node.identity
    )
    assert (receipt.node, receipt.client) == (node.identity, asked.client)
    assert receipt.manifest == reply.manifest.digest
    assert receipt.query == sha256(encode(asked)).digest()
    assert abs(receipt.issued_at - time.time()) < 60
    leaves = [
        chunk_leaf(Cid.of(reply.documents[hit.document], 0x71), hit.start, hit.end, hit.text, hit.vector)
        for hit in reply.hits
    ]
    assert receipt.results == results_root(leaves, asked.salt)
    assert search(http, asked).receipt.receipt.nonce != receipt.nonce


def test_json_and_mixed_encodings_give_the_same_reply(http: httpx.Client) -> None:
    asked = request()
    as_json = post(http, to_json(asked).encode(), JSON)
    assert as_json.headers["content-type"] == JSON
    mixed = post(http, to_json(asked).encode(), JSON, Accept=DAG_CBOR)
    binary = search(http, asked)
    for reply in (from_json(as_json.content, SearchReply), decode(mixed.content, SearchReply)):
        assert reply.hits == binary.hits
        assert reply.receipt.receipt.query == binary.receipt.receipt.query


def test_question_without_a_vector_is_embedded_by_the_node(http: httpx.Client) -> None:
    assert search(http, request(embed=False)).hits == search(http, request()).hits


def test_parallel_questions_are_all_answered(http: httpx.Client) -> None:
    async def ask(client: httpx.AsyncClient, number: int) -> SearchReply:
        asked = request(f"Digest {number}?")
        headers = {"Content-Type": DAG_CBOR}
        response = await client.post("/v1/search", content=encode(asked), headers=headers)
        assert response.status_code == 200
        reply = decode(response.content, SearchReply)
        assert reply.receipt.receipt.query == sha256(encode(asked)).digest()
        return reply

    async def ask_all() -> list[SearchReply]:
        async with httpx.AsyncClient(base_url=http.base_url, timeout=60) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(50)))

    assert len({reply.receipt.receipt.nonce for reply in asyncio.run(ask_all())}) == 50


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"space": cid_of(Card(title="", space=cid_of(WORD_SPACE), documents=0, chunks=0, centroids=b"", weights=b"",
                               terms=b"", df=b"", average_length=0.0))}, 409, "space"),
        ({"vector": b"\0" * 12}, 400, "12 bytes"),
        ({"vector": b"\xff" * 4 * WORD_SPACE.dimension}, 400, "not a number"),
        ({"k": 0}, 400, "k must be"),
        ({"k": 1 << 63}, 400, "k must be"),
        ({"client": b"short"}, 400, "20 bytes"),
        ({"salt": b""}, 400, "16"),
        ({"question": "  "}, 400, "empty"),
        ({"question": "x" * (MAX_QUESTION + 1)}, 413, str(MAX_QUESTION)),
    ],
)  # fmt: skip
def test_invalid_request_is_refused_with_the_reason(
    http: httpx.Client, changes: dict[str, Any], status: int, detail: str
) -> None:
    assert_problem(post(http, encode(request(**changes))), status, detail)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\xa0", encode(request())[:-1], b"\x81" * 5000, b"[" * 5000])
def test_malformed_body_is_refused(http: httpx.Client, body: bytes) -> None:
    assert_problem(post(http, body), 400, "")
    assert_problem(post(http, body, JSON), 400, "")


def test_huge_k_is_capped(http: httpx.Client) -> None:
    assert 0 < len(search(http, request(k=1 << 30)).hits) <= 200


def test_body_over_the_limit_is_refused_despite_its_headers(http: httpx.Client) -> None:
    oversized = b"x" * (MAX_BODY + 1)
    assert_problem(post(http, oversized), 413, str(MAX_BODY))

    def drip() -> Iterator[bytes]:
        yield oversized

    headers = {"Content-Type": DAG_CBOR}
    assert_problem(http.post("/v1/search", content=drip(), headers=headers), 413, str(MAX_BODY))


def test_unknown_encoding_and_path_are_problem_documents(http: httpx.Client) -> None:
    assert_problem(post(http, b"question=x", "application/x-www-form-urlencoded"), 415, DAG_CBOR)
    assert_problem(http.get("/v2/search"), 404, "")
    assert_problem(http.get("/v1/search"), 405, "")
    assert_problem(http.get("/v1/changes?since=never"), 422, "since")


def test_almost_valid_json_is_refused(http: httpx.Client) -> None:
    """Both cases were found by requests generated from the OpenAPI document."""
    asked = json.loads(to_json(request()))
    assert_problem(post(http, json.dumps(asked | {"space": [1]}).encode(), JSON), 400, "is not a CID")
    del asked["type"]
    assert_problem(post(http, json.dumps(asked).encode(), JSON), 400, "its type is missing")


def test_search_on_a_full_queue_is_refused(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knet_indexer.server.app.MAX_QUEUED", 0)
    response = post(http, encode(request()))
    assert_problem(response, 503, "waiting")
    assert response.headers["retry-after"] == "1"


def test_node_between_two_models_answers_in_the_published_space(tmp_path: Path, devnet: Profile) -> None:
    with start_nodes(tmp_path, devnet, [TEXTS]) as (started,):
        pass
    started.node.configure(port=0)
    moving = open_node(started.node.folder, devnet, embedder=WordEmbedder(replace(WORD_SPACE, model="test/other")))
    bound = listen(moving)
    with serving(moving, bound), httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}") as client:
        assert search(client, request()).hits
        assert_problem(post(client, encode(request(embed=False))), 409, "moving to another model")


# --- publications ------------------------------------------------------------------------------------------------


def test_card_is_served_in_both_encodings(http: httpx.Client) -> None:
    card = from_json(http.get("/v1/card").content, Card)
    assert card == decode(http.get("/v1/card", headers={"Accept": DAG_CBOR}).content, Card)
    assert (card.documents, card.licence) == (2, "CC0-1.0")


def test_unchanged_head_answers_not_modified(http: httpx.Client) -> None:
    first = http.get("/v1/manifest")
    again = http.get("/v1/manifest", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_gateway_serves_published_blocks_only(node: RunningNode, http: httpx.Client) -> None:
    cid = from_json(http.get("/v1/manifest").content, ManifestReply).cid
    block = http.get(f"/ipfs/{cid}?format=raw", headers={"Accept": "application/vnd.ipld.raw"}).content
    assert Cid.of(block, 0x71) == cid
    secret = node.node.store.put(b"indexed, not published")
    assert http.get(f"/ipfs/{secret}?format=raw").status_code == 404


def test_registration_document_names_the_identity(node: RunningNode, http: httpx.Client, chain: EvmChain) -> None:
    document = http.get("/.well-known/agent-registration.json").json()
    registry = f"eip155:{chain.deployment.chain_id}:{chain.deployment.identity}"
    assert document["registrations"] == [{"agentId": node.identity, "agentRegistry": registry}]
    assert document["services"][0]["endpoint"].startswith(node.endpoint)


# --- operations --------------------------------------------------------------------------------------------------


def test_metrics_count_searches_without_their_text(http: httpx.Client) -> None:
    search(http, request("Whose secret is a peculiar aardvark?"))
    post(http, b"nonsense")
    text = http.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    outcomes = {
        sample.labels["outcome"]: sample.value
        for sample in families["knet_node_searches"].samples
        if sample.name.endswith("_total")
    }
    assert outcomes["ok"] >= 1
    assert outcomes["refused"] >= 1
    assert families["knet_node_documents"].samples[0].value == 2
    assert "aardvark" not in text


def test_openapi_document_describes_every_route_and_record(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    versioned = {f"/v1/{name}" for name in ("search", "card", "manifest", "changes", "status")}
    assert {*versioned, "/healthz", "/readyz", "/metrics"} <= set(document["paths"])
    body = document["paths"]["/v1/search"]["post"]["requestBody"]["content"]
    assert body.keys() == {DAG_CBOR, JSON}
    schemas = document["components"]["schemas"]
    assert {"question", "client", "salt", "k", "space", "vector", "type"} == set(schemas["SearchRequest"]["properties"])
    references = [part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]]
    assert set(references) <= set(schemas), "every reference has a schema"


def test_status_names_the_head_and_counts_answered_searches(http: httpx.Client) -> None:
    before = from_json(http.get("/v1/status").content, ServiceStatus)
    head = from_json(http.get("/v1/manifest").content, ManifestReply)
    assert (before.ready, before.manifest, before.sequence) == (True, head.cid, head.manifest.sequence)
    assert (before.documents, before.chunks) == (head.manifest.documents, head.manifest.chunks)
    post(http, encode(request()))
    post(http, b"not a request")
    after = decode(http.get("/v1/status", headers={"Accept": DAG_CBOR}).content, ServiceStatus)
    assert after.searches == before.searches + 1


def test_node_without_publication_is_alive_and_not_ready(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", TEXTS, devnet)
    bound = listen(node)
    with serving(node, bound), httpx.Client(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}") as client:
        assert client.get("/healthz").status_code == 200
        assert_problem(client.get("/readyz"), 503, "published nothing")
        assert not from_json(client.get("/v1/status").content, ServiceStatus).ready
        assert_problem(post(client, encode(request())), 503, "published nothing")


def wait_for_sequence(client: httpx.Client, sequence: int) -> ManifestReply:
    for _ in range(600):
        head = from_json(client.get("/v1/manifest").content, ManifestReply)
        if head.manifest.sequence == sequence:
            return head
        time.sleep(0.05)
    raise AssertionError(f"manifest {sequence} was never served")


def test_new_publication_is_served_and_listed_as_changes(tmp_path: Path, devnet: Profile) -> None:
    with (
        start_nodes(tmp_path, devnet, [TEXTS]) as (node,),
        httpx.Client(base_url=node.endpoint, timeout=30) as client,
    ):
        before = wait_for_sequence(client, 1)
        (node.documents / "hashes.md").unlink()
        write_documents(node.documents, {"trees.md": "# Trees\n\nA tree is a graph without a cycle."})
        node.update()
        after = wait_for_sequence(client, 2)
        assert after.manifest.previous == before.cid
        assert "cycle" in search(client, request("Which graph has no cycle?")).hits[0].text

        changes = from_json(client.get("/v1/changes?since=1").content, ChangesReply)
        assert [version.manifest for version in changes.versions] == [after.cid]
        assert {(change.change, change.uri) for change in changes.changes} == {
            ("removed", "folder:node-0-documents/hashes.md"),
            ("added", "folder:node-0-documents/trees.md"),
        }
        assert changes.shards == after.manifest.shards
        assert not changes.more
        everything = from_json(client.get("/v1/changes").content, ChangesReply)
        assert [version.sequence for version in everything.versions] == [1, 2]
        assert len(everything.changes) == 4
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(changes_module, "MAX_CHANGES", 3)
            pages = [from_json(client.get(f"/v1/changes?skip={n}").content, ChangesReply) for n in (0, 3, 4)]
        assert [change for page in pages for change in page.changes] == everything.changes
        assert [len(page.changes) for page in pages] == [3, 1, 0]
        assert [page.more for page in pages] == [True, False, False]
        assert [[version.sequence for version in page.versions] for page in pages[:2]] == [[1, 2], [2]]
        raw = {"Accept": "application/vnd.ipld.raw"}
        assert client.get(f"/ipfs/{before.cid}?format=raw", headers=raw).status_code == 200, (
            "clients may hold receipts of it"
        )


def configure_patiently(node: Node, **changes: object) -> None:
    """Change settings as another process would, between two rounds of resyncing."""
    for _ in range(600):
        try:
            return node.configure(**changes)
        except NodeBusy:
            time.sleep(0.05)
    raise AssertionError("the node stayed busy")


def test_document_added_during_resync_is_found(tmp_path: Path, devnet: Profile) -> None:
    with (
        start_nodes(tmp_path, devnet, [TEXTS]) as (node,),
        httpx.Client(base_url=node.endpoint, timeout=30) as client,
        resyncing(node.node, 0.1),
    ):
        write_documents(tmp_path / "more", {"trees.md": "# Trees\n\nA tree is a graph without a cycle."})
        sources = [*node.node.config.sources, SourceConfig(spec=f"folder:{tmp_path / 'more'}")]
        configure_patiently(open_node(node.node.folder, devnet), sources=sources)
        wait_for_sequence(client, 2)
        assert "cycle" in search(client, request("Which graph has no cycle?")).hits[0].text


def test_gated_collection_serves_its_card_only(tmp_path: Path, devnet: Profile) -> None:
    with (
        start_nodes(tmp_path, devnet, [TEXTS], access="gated") as (node,),
        httpx.Client(base_url=node.endpoint, timeout=30) as client,
    ):
        assert from_json(client.get("/v1/card").content, Card).access == "gated"
        assert_problem(post(client, encode(request())), 403, "agreement")
        assert_problem(client.get("/v1/changes"), 403, "agreement")
        manifest = from_json(client.get("/v1/manifest").content, ManifestReply).manifest
        assert client.get(f"/ipfs/{manifest.card}?format=raw").status_code == 200
        assert client.get(f"/ipfs/{manifest.shards[0].shard}?format=raw").status_code == 404
