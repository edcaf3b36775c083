"""What every block store does, whatever is behind it.

The Kubo case runs over js-ipfs, whose RPC is Kubo's and which npm can install; to run it over Kubo itself, or another
daemon of yours, set KNET_TEST_KUBO to the multiaddr of its RPC, such as /ip4/127.0.0.1/tcp/5001.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.codec import DAG_CBOR, MAX_BLOCK, RAW, Cid
from knet.content.base import BlockStore, get_record, put_record
from knet.content.dag import fetch_dag, walk
from knet.content.kubo import KuboStore
from knet.content.layered import Layered
from knet.content.store import FileStore, MemoryStore
from knet.errors import BlockNotFound, CodecError, StoreError
from knet.records import Manifest, Space

from ..content.support import publish
from ..ipfs.peers import HERE, install, js_ipfs

ABSENT = Cid.of(b"nobody ever put this block anywhere, knet")
USES_KUBO = [pytest.mark.ipfs, pytest.mark.timeout(900)]  # the first run installs 900 packages


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The multiaddr of an IPFS daemon's RPC."""
    if "KNET_TEST_KUBO" in os.environ:
        yield os.environ["KNET_TEST_KUBO"]
        return
    # not `npm ci`, which trips over what a lock file cannot hold of optional packages from elsewhere than npm
    install(HERE / "daemon", "install", "--no-save", "--omit=optional")
    with js_ipfs(tmp_path_factory.mktemp("ipfs")) as address:
        yield address


@pytest.fixture
def kubo(daemon: str) -> Iterator[KuboStore]:
    store = KuboStore(daemon, deadline=5)  # js-ipfs takes all of it to find that a block is not there
    yield store
    store.close()


@pytest.fixture(
    params=["memory", "files", "layered", pytest.param("kubo", marks=USES_KUBO)],
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlockStore]:
    if request.param == "kubo":
        yield request.getfixturevalue("kubo")
    else:
        files = FileStore(tmp_path / "blocks")
        stores: dict[str, BlockStore] = {
            "memory": MemoryStore(),
            "files": files,
            "layered": Layered(files, MemoryStore(), MemoryStore()),
        }
        yield stores[request.param]


@pytest.mark.parametrize("codec", [RAW, DAG_CBOR])
@pytest.mark.parametrize("data", [b"", b"\xa0", b"text", bytes(70_000), bytes(MAX_BLOCK)], ids=len)
def test_what_is_put_is_there_under_its_cid(store: BlockStore, data: bytes, codec: int) -> None:
    cid = store.put(data, codec)
    assert cid == Cid.of(data, codec)
    assert store.has(cid)
    assert store.get(cid) == data
    assert cid.digest in {kept.digest for kept in store}


def test_putting_again_changes_nothing(store: BlockStore) -> None:
    assert store.put(b"twice") == store.put(b"twice")
    assert [cid.digest for cid in store].count(Cid.of(b"twice").digest) == 1


def test_what_was_never_put_is_not_found(store: BlockStore) -> None:
    assert not store.has(ABSENT)
    with pytest.raises(BlockNotFound, match=str(ABSENT)):
        store.get(ABSENT)


def test_deleting_forgets_and_may_be_repeated(store: BlockStore) -> None:
    cid = store.put(b"for a while")
    store.delete(cid)
    store.delete(cid)
    assert not store.has(cid)
    with pytest.raises(BlockNotFound):
        store.get(cid)
    assert cid.digest not in {kept.digest for kept in store}


def test_a_block_over_the_limit_is_refused(store: BlockStore) -> None:
    with pytest.raises(StoreError, match=str(MAX_BLOCK)):
        store.put(bytes(MAX_BLOCK + 1))


def test_records_go_in_and_come_out(store: BlockStore) -> None:
    space = Space(model="words", weights=bytes(32), dimension=4)
    cid = put_record(store, space)
    assert get_record(store, cid, Space) == space
    with pytest.raises(CodecError):
        get_record(store, cid, Manifest)


def test_a_whole_collection_is_copied_into_it(store: BlockStore) -> None:
    node = MemoryStore()
    root = publish(node)
    fetch_dag(node, root, store)
    assert dict(walk(store, root)) == dict(walk(node, root))


@pytest.mark.ipfs
@pytest.mark.timeout(900)
def test_a_pinned_collection_is_kept_until_unpinned(kubo: KuboStore) -> None:
    root = publish(kubo)
    kubo.pin(root)
    assert dict(walk(kubo, root))
    kubo.unpin(root)
    kubo.unpin(root)
    kubo.delete(root)
    assert not kubo.has(root)
    with pytest.raises(BlockNotFound):
        kubo.pin(ABSENT)
