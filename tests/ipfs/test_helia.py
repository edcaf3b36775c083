"""Tests with Helia, an independent IPFS implementation that fetches a publication and checks every block."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.dag import walk
from knet.content.store import FileStore
from knet.records import Manifest
from tests.content.support import gateway, publish

from .peers import HERE, install, node_program

pytestmark = [pytest.mark.ipfs, pytest.mark.timeout(600)]  # the first run installs

Fetch = Callable[[str, Cid], dict[str, Any]]


@pytest.fixture(scope="session")
def helia() -> Fetch:
    """Return a function that runs Helia against a gateway."""
    node = node_program()
    install(HERE, "ci")

    def fetch(url: str, cid: Cid) -> dict[str, Any]:
        command = [node, "fetch.mjs", url, str(cid)]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return fetch


def test_helia_fetches_collection_with_the_same_cids(helia: Fetch, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    root = publish(store, shards=3)
    with gateway(store) as url:
        found = helia(url, root)
    assert found == {"blocks": {str(cid): len(block) for cid, block in walk(store, root)}}


def test_helia_refuses_blocks_of_lying_gateway(helia: Fetch, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    root = publish(store)
    target = get_record(store, root, Manifest).card
    liar = FastAPI()

    @liar.get("/ipfs/{name}")
    def lie(name: str) -> Response:
        block = store.get(Cid.parse(name))
        tampered = block.replace(b"Birds", b"Worms") if name == str(target) else block
        return Response(tampered, media_type="application/vnd.ipld.raw")

    with gateway(store, liar) as url:
        found = helia(url, root)
    assert found["cid"] == str(target)
    assert "error" in found


def test_helia_fails_fast_for_absent_block(helia: Fetch, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    root = publish(store)
    target = get_record(store, root, Manifest).shards[0].shard
    store.delete(target)
    with gateway(store) as url:
        found = helia(url, root)
    assert found["cid"] == str(target)
