"""Trained models of an owner are published with the collection and follow its changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.codec import cid_of
from knet.config import Profile
from knet.content.base import get_record
from knet.dsi.collection import train_collection
from knet.dsi.corpus import Questions, pseudo_pairs
from knet.dsi.datasets import read_node
from knet.dsi.examples import Settings
from knet.dsi.model import Model
from knet.dsi.publish import fetch_model
from knet.errors import ConfigError
from knet.records import Manifest
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.gc import collect_garbage
from knet_indexer.publication.publish import PublishReport, publish
from tests.network.support import WORD_SPACE, WordEmbedder, make_node

TEXTS = {
    f"{number}.md": f"# Topic {number}\n\n" + " ".join(f"Fact {n} of topic {number}." for n in range(30))
    for number in range(6)
}


@pytest.fixture
def node(tmp_path: Path, devnet: Profile) -> Node:
    return make_node(tmp_path / "node", TEXTS, devnet)


def documents_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def sync_and_publish(node: Node) -> PublishReport:
    sync(node)
    return publish(node)


def train_models(node: Node) -> None:
    """Train as `knet dsi train HOME` does, with the node's own embedder."""
    passages, space = read_node(node.folder)
    pairs = pseudo_pairs(passages, [])
    questions = Questions(pairs, WordEmbedder().encode([pair.question for pair in pairs]))
    train_collection(passages, questions, space, node.folder / "dsi", settings=Settings(epochs=1))


def models_of(node: Node, report: PublishReport) -> list[Model]:
    named = get_record(node.store, report.manifest, Manifest).dsi_models
    return [fetch_model(node.store, cid, cid_of(WORD_SPACE)) for cid in named]


def test_trained_models_are_published_with_the_collection(node: Node) -> None:
    assert models_of(node, sync_and_publish(node)) == []
    train_models(node)
    report = publish(node)
    assert report.changed
    (model,) = models_of(node, report)
    assert len(model.ids) == report.chunks
    assert not publish(node).changed
    collect_garbage(node)
    assert models_of(node, report)[0].ids == model.ids


def test_deleted_document_is_removed_from_the_published_model(node: Node) -> None:
    sync_and_publish(node)
    train_models(node)
    before = models_of(node, publish(node))[0]
    (documents_of(node) / "0.md").unlink()
    report = sync_and_publish(node)
    (model,) = models_of(node, report)
    assert len(model.ids) == report.chunks < len(before.ids)
    assert set(model.ids) == set(read_node(node.folder)[0].ids)


def test_emptied_node_publishes_no_model(node: Node) -> None:
    sync_and_publish(node)
    train_models(node)
    publish(node)
    node.configure(sources=[])
    assert models_of(node, sync_and_publish(node)) == []


def test_interrupted_training_is_not_published(node: Node) -> None:
    sync_and_publish(node)
    train_models(node)
    (node.folder / "dsi" / "shard-0" / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="knet dsi train"):
        publish(node)
