"""Conformance tests of every block store.

The Kubo case runs over js-ipfs, whose RPC is Kubo's and which npm can install, or over the daemon of `kubo_rpc`.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests

from knet.codec import DAG_CBOR, MAX_BLOCK, RAW, Cid
from knet.content.base import BlockStore, get_record, put_record
from knet.content.bounded import BoundedStore
from knet.content.bundle import put_bundle
from knet.content.car import import_car, write_car
from knet.content.dag import fetch_dag, walk
from knet.content.kubo import KuboStore
from knet.content.layered import LayeredStore
from knet.content.store import FileStore, MemoryStore
from knet.errors import BlockNotFound, CodecError, StoreError
from knet.records import Manifest, Space
from tests.content.support import publish

ABSENT = Cid.of(b"this block was never put anywhere, knet")
USES_KUBO = [pytest.mark.ipfs, pytest.mark.timeout(900)]  # the first run installs 900 packages


@pytest.fixture
def kubo(kubo_rpc: str) -> Iterator[KuboStore]:
    store = KuboStore(kubo_rpc, deadline=8)  # js-ipfs uses all of it to report a missing block
    yield store
    store.close()


@pytest.fixture(
    params=["memory", "bounded", "files", "layered", pytest.param("kubo", marks=USES_KUBO)],
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlockStore]:
    if request.param == "kubo":
        yield request.getfixturevalue("kubo")
    else:
        files = FileStore(tmp_path / "blocks")
        stores: dict[str, BlockStore] = {
            "memory": MemoryStore(),
            "bounded": BoundedStore(tmp_path / "blocks", 2**24),
            "files": files,
            "layered": LayeredStore(files, MemoryStore(), MemoryStore()),
        }
        yield stores[request.param]


@pytest.mark.parametrize("codec", [RAW, DAG_CBOR])
@pytest.mark.parametrize("data", [b"", b"\xa0", b"text", bytes(70_000), bytes(MAX_BLOCK)], ids=len)
def test_put_block_is_found_under_its_cid(store: BlockStore, data: bytes, codec: int) -> None:
    cid = store.put(data, codec)
    assert cid == Cid.of(data, codec)
    assert store.has(cid)
    assert store.get(cid) == data
    assert cid.digest in {kept.digest for kept in store}


def test_second_put_changes_nothing(store: BlockStore) -> None:
    assert store.put(b"twice") == store.put(b"twice")
    assert [cid.digest for cid in store].count(Cid.of(b"twice").digest) == 1


def test_unknown_block_is_not_found(store: BlockStore) -> None:
    assert not store.has(ABSENT)
    with pytest.raises(BlockNotFound, match=str(ABSENT)):
        store.get(ABSENT)


def test_delete_removes_block_and_may_be_repeated(store: BlockStore) -> None:
    cid = store.put(b"for a while")
    store.delete(cid)
    store.delete(cid)
    assert not store.has(cid)
    with pytest.raises(BlockNotFound):
        store.get(cid)
    assert cid.digest not in {kept.digest for kept in store}


def test_block_over_the_limit_is_refused(store: BlockStore) -> None:
    with pytest.raises(StoreError, match=str(MAX_BLOCK)):
        store.put(bytes(MAX_BLOCK + 1))


def test_record_is_stored_and_read_back(store: BlockStore) -> None:
    space = Space(model="words", weights=bytes(32), dimension=4)
    cid = put_record(store, space)
    assert get_record(store, cid, Space) == space
    with pytest.raises(CodecError):
        get_record(store, cid, Manifest)


def test_collection_is_copied_into_store(store: BlockStore) -> None:
    node = MemoryStore()
    root = publish(node)
    fetch_dag(node, root, store)
    assert dict(walk(store, root)) == dict(walk(node, root))


def test_collection_survives_export_and_import_as_car(store: BlockStore) -> None:
    root = publish(store, sequence=2)
    blocks = dict(walk(store, root))
    archive = BytesIO(b"".join(write_car([root], walk(store, root))))
    for cid in blocks:
        store.delete(cid)
    assert not store.has(root)
    assert import_car(archive, store) == [root]
    assert dict(walk(store, root)) == blocks


@pytest.mark.ipfs
@pytest.mark.timeout(900)
def test_daemon_and_knet_read_each_others_cars(kubo: KuboStore) -> None:
    ours = MemoryStore()
    root = publish(ours, sequence=3)
    archive = b"".join(write_car([root], walk(ours, root)))
    url = rpc_url(kubo)
    done = requests.post(
        f"{url}/dag/import", files={"file": ("collection.car", archive, "application/vnd.ipld.car")}, timeout=60
    )
    assert done.ok, done.text
    assert dict(walk(kubo, root)) == dict(walk(ours, root))
    exported = requests.post(f"{url}/dag/export", params={"arg": str(root)}, timeout=60)
    assert exported.ok, exported.text
    theirs = MemoryStore()
    assert import_car(BytesIO(exported.content), theirs) == [root]
    assert dict(walk(theirs, root)) == dict(walk(ours, root))


@pytest.mark.ipfs
@pytest.mark.timeout(900)
def test_garbage_collection_deletes_unpinned_blocks_only(kubo: KuboStore) -> None:
    kept, left = publish(kubo, sequence=4), publish(kubo, sequence=5)
    root = put_bundle(kubo, kept)
    kubo.pin(root)
    assert requests.post(f"{rpc_url(kubo)}/repo/gc", timeout=60).ok
    assert dict(walk(kubo, kept)), "the manifest under its own name, though the bundle holds it as a raw block"
    assert not kubo.has(left)
    kubo.unpin(root)


def rpc_url(kubo: KuboStore) -> str:
    return f"http://127.0.0.1:{kubo.multiaddr.rpartition('/')[2]}/api/v0"


@pytest.mark.ipfs
@pytest.mark.timeout(900)
def test_pinned_collection_is_kept_until_unpinned(kubo: KuboStore) -> None:
    root = publish(kubo)
    kubo.pin(root)
    assert dict(walk(kubo, root))
    kubo.unpin(root)
    kubo.unpin(root)
    kubo.delete(root)
    assert not kubo.has(root)
    with pytest.raises(BlockNotFound):
        kubo.pin(ABSENT)
