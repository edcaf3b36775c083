"""Nodes with a disk index."""

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


def head_of(watcher: HeadWatcher) -> PublishedSnapshot:
    watcher.refresh()
    assert watcher.current is not None
    return watcher.current


@pytest.mark.usefixtures("disk_index_for_all")
def test_snapshot_follows_publications(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {f"{n}.txt": f"Document {n} is about subject{n}." for n in range(8)}, devnet)
    watcher = HeadWatcher(node, lambda snapshot: None)
    sync(node)
    first = publish(node)
    snapshot = head_of(watcher)
    blocks = set(reachable(node.store, first.manifest))
    assert all(block in snapshot.blocks for block in blocks)
    (tmp_path / "node-documents" / "3.txt").unlink()
    sync(node)
    second = publish(node)
    later = head_of(watcher)
    assert len(later.collection) == len(snapshot.collection) - 1 == second.chunks
    question = np.ones(later.collection.space.dimension, np.float32)
    texts = {hit.text for hit in later.collection.prove(later.collection.search("subject3", question, 8))[1]}
    assert "Document 2 is about subject2." in texts
    assert not any("subject3" in text for text in texts)
    assert all(block in later.blocks for block in blocks), "clients may still hold receipts of the head before"


@pytest.mark.usefixtures("disk_index_for_all")
def test_missing_index_is_built_by_the_serving_node(
    tmp_path: Path, devnet: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(tmp_path / "node", {"a.txt": "Whales sing.", "b.txt": "Snails do not."}, devnet)
    sync(node)
    with monkeypatch.context() as patched:
        patched.setattr(DiskIndex, "update", lambda *_, **__: None)  # as by a node that was small then
        publish(node)
    assert not (node.folder / "index").exists()
    snapshot = head_of(HeadWatcher(node, lambda snapshot: None))
    assert len(snapshot.collection) == 2
    assert (node.folder / "index").is_dir()


@pytest.mark.usefixtures("disk_index_for_all")
def test_unwritable_index_folder_is_reported(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {"a.txt": "Whales sing."}, devnet)
    sync(node)
    (node.folder / "index").write_text("a file")
    with pytest.raises(StoreError, match="index"):
        publish(node)
