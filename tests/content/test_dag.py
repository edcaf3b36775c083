"""Tests of the DAG under a manifest: walk, fetch, archive."""

from __future__ import annotations

import io

import libipld
import pytest

from knet.codec import DAG_CBOR, Cid
from knet.content.base import get_record, put_record
from knet.content.car import import_car, write_car
from knet.content.dag import fetch_dag, links, reachable, walk
from knet.content.store import MemoryStore
from knet.errors import BlockNotFound, CodecError, TooLarge
from knet.records import Card, Manifest, Shard, Space

from .support import publish

BLOCKS = 3 + 2 * 5 + 1  # manifest, card, space; shard, chunks, vectors, document, text; lexical, which both share


class Counting(MemoryStore):
    """Block source that records the requested CIDs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Cid] = []

    def get(self, cid: Cid) -> bytes:
        self.asked.append(cid)
        return super().get(cid)


def test_walk_yields_every_block_once_root_first() -> None:
    store = MemoryStore()
    root = publish(store)
    found = list(walk(store, root))
    assert found[0][0] == root
    assert len(found) == BLOCKS
    assert {cid for cid, _ in found} == set(store)
    assert all(cid.check(block) == block for cid, block in found)


def test_walk_is_depth_first_in_the_order_of_links() -> None:
    store = MemoryStore()
    leaves = [store.put(bytes([n])) for n in range(3)]
    inner = store.put(libipld.encode_dag_cbor([leaves[2].raw, leaves[0].raw]), DAG_CBOR)
    root = store.put(libipld.encode_dag_cbor([leaves[1].raw, inner.raw, leaves[0].raw]), DAG_CBOR)
    assert list(reachable(store, root)) == [root, leaves[1], inner, leaves[2], leaves[0]]


def test_walk_leaves_out_earlier_manifests() -> None:
    store = MemoryStore()
    first = publish(store)
    second = publish(store, sequence=2, previous=first)
    assert first not in set(reachable(store, second))


def test_reachable_reads_no_raw_blocks() -> None:
    store = Counting()
    root = publish(store)
    assert set(reachable(store, root)) == set(store)
    assert all(cid.codec == DAG_CBOR for cid in store.asked)


def test_fetch_of_next_manifest_fetches_the_difference() -> None:
    node, follower = Counting(), MemoryStore()
    first = publish(node)
    assert fetch_dag(node, first, follower) == BLOCKS
    before = len(node.asked)
    assert before == BLOCKS
    manifest = get_record(node, first, Manifest)
    second = put_record(
        node, Manifest(**{f: getattr(manifest, f) for f in manifest.__struct_fields__} | {"sequence": 2})
    )
    node.asked.clear()
    fetch_dag(node, second, follower)
    assert node.asked == [second]
    assert set(follower) == set(node)


def test_missing_block_is_named() -> None:
    store = MemoryStore()
    root = publish(store)
    shard = get_record(store, get_record(store, root, Manifest).shards[1].shard, Shard)
    store.delete(shard.vectors)
    with pytest.raises(BlockNotFound, match=str(shard.vectors)):
        list(walk(store, root))
    with pytest.raises(BlockNotFound, match=str(shard.vectors)):
        fetch_dag(store, root, MemoryStore())


def test_hostile_dag_stops_at_the_limit() -> None:
    store = MemoryStore()
    bomb = store.put(b"x")
    for _ in range(50):
        bomb = store.put(libipld.encode_dag_cbor([bomb.raw] * 100), DAG_CBOR)
    with pytest.raises(TooLarge):
        list(walk(store, bomb, max_blocks=40))


@pytest.mark.parametrize("block", [b"", b"\xff", b"\x81" * 100_000, b"\xd8\x2a\x40"])
def test_block_with_wrong_codec_is_refused(block: bytes) -> None:
    with pytest.raises(CodecError):
        links(Cid.of(block, DAG_CBOR), block)


def test_links_are_found_in_all_fields() -> None:
    store = MemoryStore()
    manifest = get_record(store, publish(store), Manifest)
    card = store.get(manifest.card)
    assert links(manifest.card, card) == [manifest.space]
    assert get_record(store, manifest.card, Card).space == manifest.space
    assert links(manifest.space, store.get(manifest.space)) == []
    assert get_record(store, manifest.space, Space).model == "words"


def test_collection_is_copied_as_car() -> None:
    store, copy = MemoryStore(), MemoryStore()
    root = publish(store)
    archive = io.BytesIO(b"".join(write_car([root], walk(store, root))))
    assert import_car(archive, copy) == [root]
    assert set(copy) == set(store)
