"""De-DSI models of a node: clients fetch them, fuse their scores with others, and use them in private mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.client.network import Network
from knet.codec import Cid
from knet.config import Profile
from knet.content.base import get_record, put_record
from knet.records import Card, DsiModel, Manifest
from knet.routing.node_view import NodeView
from knet.search.dsi_scores import ModelCache
from knet_indexer.publication.publish import publish
from tests.indexer.publication.test_dsi_models import TEXTS, train_models

from .clients import PATIENT, open_client, own_network, wait_for
from .support import WORD_SPACE, RunningNode, start_nodes

QUESTION = "What is fact 3 of topic 2?"


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path) -> Iterator[list[RunningNode]]:
    """Two nodes, one of which has models."""
    with start_nodes(tmp_path / "nodes", own_network(devnet), [TEXTS, {"birds.md": "Birds sing at dawn."}]) as nodes:
        train_models(nodes[0].node)
        publish(nodes[0].node)
        yield nodes


def model_scores(net: Network, **options: object) -> dict[int, set[bool]]:
    """Return for each node whether De-DSI scored one of its passages."""
    answer = net.ask(QUESTION, node_timeout=PATIENT, max_nodes="all", **options)  # type: ignore[arg-type]
    found: dict[int, set[bool]] = {}
    for passage in answer.passages:
        found.setdefault(passage.provenance.node, set()).add("dsi" in passage.scores)
    return found


def test_question_does_not_wait_for_models_and_the_next_uses_them(nodes: list[RunningNode], tmp_path: Path) -> None:
    trained, plain = (node.identity for node in nodes)
    with open_client(nodes[0].node.profile, tmp_path) as net:
        wait_for(lambda: model_scores(net).get(trained) == {True}, "the models arrived")
        assert model_scores(net).get(plain, {False}) == {False}
        answer = net.ask(QUESTION, node_timeout=PATIENT, max_nodes="all")
        assert all(sum(p.shares.values()) == pytest.approx(p.score, abs=1e-3) for p in answer.passages)
        assert not answer.verify(embed=False).failed
        without = net.ask(QUESTION, node_timeout=PATIENT, max_nodes="all", retrievers=("dense", "bm25"))
        assert all("dsi" not in passage.shares for passage in without.passages)


def test_models_score_passages_in_private_mode(nodes: list[RunningNode], tmp_path: Path) -> None:
    with open_client(nodes[0].node.profile, tmp_path) as net:
        wait_for(
            lambda: model_scores(net, private=True).get(nodes[0].identity) == {True}, "models scored in private mode"
        )


def test_model_above_the_size_limit_is_not_fetched(nodes: list[RunningNode]) -> None:
    store = nodes[0].node.store
    entry = nodes[0].node.chain.registry_snapshot().nodes[nodes[0].identity]
    assert entry.head is not None
    manifest = get_record(store, entry.head.manifest, Manifest)
    (named,) = manifest.dsi_models

    def taken(cid: Cid) -> bool:
        view = NodeView(entry, replace(manifest, models=[cid]), get_record(store, manifest.card, Card), WORD_SPACE)
        return bool(ModelCache().ready([view], lambda _: store, wait=PATIENT))

    model = get_record(store, named, DsiModel)
    assert taken(named)
    assert not taken(put_record(store, replace(model, weights=model.weights * 100)))
