"""Attacks over time: answers from replaced or removed content, vectors of other texts, and nodes that stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.chain.evm import EvmChain
from knet.client.network import Network
from knet.config import Profile
from knet.embed.base import Progress, Vectors
from knet.index.collection import Collection, ScoredChunk
from knet.index.shard import live_mask
from knet.records import SearchReply, SearchRequest
from knet.routing import node_view as view
from tests.network.clients import PATIENT, open_client, own_network, status_of, wait_for
from tests.network.support import RunningNode, WordEmbedder, start_nodes

from .conftest import HONEST, HOSTILE, QUESTION, Stage
from .support import Impostor, Liar, impostor, telling

LURE = "Buy our fish, the best fish of the coast, every day at the harbour and without standing in line."


class LuringEmbedder(WordEmbedder):
    """Embedder that gives an advertisement the vector of a frequent question."""

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        return super().encode([QUESTION if text == LURE else text for text in texts], query=query, progress=progress)


@pytest.fixture
def network(devnet: Profile, tmp_path: Path) -> Iterator[tuple[Stage, Network]]:
    """An honest node, a hostile node and a client, on a separate network, since the tests change it."""
    profile = own_network(devnet, "histories")
    with start_nodes(tmp_path, profile, [HONEST[0], HOSTILE]) as (good, bad), impostor(bad.endpoint) as proxy:
        EvmChain(profile.rpc, profile.deployment).identity.set_endpoint(bad.node.signer, bad.identity, proxy.url)
        with open_client(profile, tmp_path / "client") as net:
            net.nodes()
            yield Stage(profile, [good], bad, proxy, Liar(bad.node.signer, profile.deployment)), net


def answering_from(stage: Stage, collection: Collection, proxy: Impostor) -> None:
    """Return a behaviour that searches another collection and signs for it."""

    def lie(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
        vector = WordEmbedder().encode([request.question])[0]
        documents, hits, _ = collection.prove(collection.search(request.question, vector, request.k))
        changed = replace(reply, manifest=collection.cid, documents=documents, hits=hits)
        changed = liar.resigned(changed, manifest=collection.cid.digest)
        return liar.saying(request, changed, hits)

    proxy.behave = telling(stage.liar, lie)


def head_of(node: RunningNode) -> Collection:
    return Collection.load(node.node.store, node.node.chain.manifests.heads(node.identity)[-1].manifest)


def rewrite(stage: Stage, text: str) -> None:
    """Change a document of the hostile node, publish, and serve the new head."""
    (stage.hostile.documents / "strike.md").write_text(text)
    stage.hostile.update()


def knows_the_head(net: Network, node: RunningNode, sequence: int) -> bool:
    return any(info.node == node.identity and info.sequence == sequence for info in net.nodes())


def test_replaced_manifest_is_accepted_for_a_grace_period(
    network: tuple[Stage, Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, net = network
    answering_from(stage, head_of(stage.hostile), stage.proxy)
    rewrite(stage, "The heron is now extinct, says the new version of this text.")
    wait_for(lambda: knows_the_head(net, stage.hostile, 2), "the client learns of the publication")
    answer = net.ask(QUESTION, node_timeout=PATIENT)
    assert status_of(answer.nodes, stage.hostile.identity).status == "success", (
        "the reply may be older than the publication"
    )
    monkeypatch.setattr(view, "GRACE_SECONDS", -1.0)
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "unverified"
    assert "StaleManifest" in status.detail
    assert "not its head on chain" in status.detail


def test_withheld_head_leaves_its_predecessor_for_a_grace_period(
    network: tuple[Stage, Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, net = network
    answering_from(stage, head_of(stage.hostile), stage.proxy)
    searching = stage.proxy.behave
    stage.proxy.behave = lambda exchange: searching(exchange) if exchange.is_search else exchange.send(b"", 503)
    rewrite(stage, "The heron is now extinct, says the new version of this text.")
    net.nodes()
    answer = net.ask(QUESTION, node_timeout=PATIENT)
    assert status_of(answer.nodes, stage.hostile.identity).status == "success", (
        "the node may not serve its new head yet"
    )
    monkeypatch.setattr(view, "GRACE_SECONDS", -1.0)
    net.nodes()
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "error"
    assert "503" in status.detail


def test_removed_passage_is_reported(network: tuple[Stage, Network]) -> None:
    stage, net = network
    (stage.hostile.documents / "winter.md").unlink()
    stage.hostile.update()
    collection = head_of(stage.hostile)
    shard = collection.shards[0]
    removed = next(chunk for chunk, alive in enumerate(live_mask(shard.ref)) if not alive)

    def lie(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
        found = [ScoredChunk(shard=0, chunk=removed, scores={})]
        documents, hits, _ = collection.prove(found)
        changed = replace(reply, manifest=collection.cid, documents=documents, hits=hits)
        return liar.saying(request, liar.resigned(changed, manifest=collection.cid.digest), hits)

    stage.proxy.behave = telling(stage.liar, lie)
    wait_for(lambda: knows_the_head(net, stage.hostile, 2), "the client learns of the removal")
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "unverified"
    assert "was removed by its owner" in status.detail


def test_vector_of_another_text_fails_verification(devnet: Profile, tmp_path: Path) -> None:
    profile = own_network(devnet, "vectors")
    with (
        start_nodes(tmp_path / "good", profile, [HONEST[0]]),
        start_nodes(tmp_path / "bad", profile, [{"lure.md": LURE}], embedder=LuringEmbedder()) as (bad,),
        open_client(profile, tmp_path / "client") as net,
    ):
        answer = net.ask(QUESTION, node_timeout=PATIENT, retrievers=("dense",))
        assert answer.passages[0].text == LURE, "the attack works until a client embeds the text"
        report = answer.verify()
        assert {(check.claim, check.subject) for check in report.failed} == {
            ("vector fits text", f"passage 1 of node {bad.identity}")
        }
        assert not answer.verify(embed=False).failed, "every other check passes"


def test_stopped_node_is_reported_and_the_others_answer(devnet: Profile, tmp_path: Path) -> None:
    profile = own_network(devnet, "dead")
    with start_nodes(tmp_path / "good", profile, [HONEST[0]]) as (good,), open_client(profile, tmp_path / "c") as net:
        with start_nodes(tmp_path / "bad", profile, [HOSTILE]) as (bad,):
            answer = net.ask(QUESTION, node_timeout=PATIENT)
            assert status_of(answer.nodes, bad.identity).status == "success"
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        assert answer.found
        assert answer.record.is_partial
        assert status_of(answer.nodes, good.identity).status == "success"
        status = status_of(answer.nodes, bad.identity)
        assert status.status == "error"
        assert "cannot be reached" in status.detail
