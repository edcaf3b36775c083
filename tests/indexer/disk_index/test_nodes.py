"""Nodes whose index is kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knet.config import Profile
from knet.content.dag import reachable
from knet.errors import StoreError
from knet_indexer import disk_index
from knet_indexer.disk_index.index import DiskIndex
from knet_indexer.ingest.sync import sync
from knet_indexer.publication.publish import publish
from knet_indexer.server.head import HeadWatcher, PublishedSnapshot
from tests.network.support import make_node


@pytest.fixture
def disk_index_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_index, "DISK_INDEX_CHUNKS", 1)


def head_of(keeper: HeadWatcher) -> PublishedSnapshot:
    keeper.refresh()
    assert keeper.current is not None
    return keeper.current


@pytest.mark.usefixtures("disk_index_for_all")
def test_a_node_follows_its_publications(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {f"{n}.txt": f"Document {n} is about subject{n}." for n in range(8)}, devnet)
    keeper = HeadWatcher(node, lambda served: None)
    sync(node)
    first = publish(node)
    served = head_of(keeper)
    blocks = set(reachable(node.store, first.manifest))
    assert all(block in served.blocks for block in blocks)
    (tmp_path / "node-documents" / "3.txt").unlink()
    sync(node)
    second = publish(node)
    later = head_of(keeper)
    assert len(later.collection) == len(served.collection) - 1 == second.chunks
    question = np.ones(later.collection.space.dimension, np.float32)
    texts = {hit.text for hit in later.collection.prove(later.collection.search("subject3", question, 8))[1]}
    assert "Document 2 is about subject2." in texts
    assert not any("subject3" in text for text in texts)
    assert all(block in later.blocks for block in blocks), "clients may still hold receipts of the head before"


@pytest.mark.usefixtures("disk_index_for_all")
def test_a_node_that_stopped_before_its_index_was_made_makes_it_when_it_serves(
    tmp_path: Path, devnet: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(tmp_path / "node", {"a.txt": "Whales sing.", "b.txt": "Snails do not."}, devnet)
    sync(node)
    with monkeypatch.context() as patched:
        patched.setattr(DiskIndex, "update", lambda *_: None)  # as by a node that was not stored yet
        publish(node)
    assert not (node.folder / "index").exists()
    served = head_of(HeadWatcher(node, lambda served: None))
    assert len(served.collection) == 2
    assert (node.folder / "index").is_dir()


@pytest.mark.usefixtures("disk_index_for_all")
def test_a_disk_that_refuses_is_said(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {"a.txt": "Whales sing."}, devnet)
    sync(node)
    (node.folder / "index").write_text("in the way")
    with pytest.raises(StoreError, match="index"):
        publish(node)
