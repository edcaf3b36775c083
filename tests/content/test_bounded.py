"""Tests of the disk cache of blocks with a size limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knet.codec import Cid
from knet.content.bounded import BoundedStore
from knet.content.layered import LayeredStore
from knet.content.store import MemoryStore
from knet.errors import BlockNotFound


def block(number: int) -> bytes:
    return bytes([number]) * 1000


def on_disk(path: Path) -> int:
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def test_least_recently_used_block_is_evicted(tmp_path: Path) -> None:
    store = BoundedStore(tmp_path, 3000)
    cids = [store.put(block(number)) for number in range(3)]
    store.get(cids[0])
    store.put(block(3))
    assert [store.has(cid) for cid in cids] == [True, False, True]
    with pytest.raises(BlockNotFound):
        store.get(cids[1])
    assert on_disk(tmp_path) == 3000


def test_block_put_twice_counts_once(tmp_path: Path) -> None:
    store = BoundedStore(tmp_path, 2000)
    first = store.put(block(1))
    for _ in range(5):
        store.put(block(2))
    assert store.get(first) == block(1)
    store.delete(first)
    store.put(block(3))
    assert on_disk(tmp_path) == 2000


def test_size_limit_holds_after_restart(tmp_path: Path) -> None:
    store = BoundedStore(tmp_path, 10_000)
    cids = [store.put(block(number)) for number in range(8)]
    for age, cid in enumerate(reversed(cids)):
        path = next(tmp_path.glob(f"*/{cid}"))
        os.utime(path, (1000 - age, 1000 - age))
    BoundedStore(tmp_path, 4000).put(block(9))
    assert on_disk(tmp_path) == 4000
    assert not BoundedStore(tmp_path, 4000).has(cids[0])


def test_evicted_block_is_fetched_again(tmp_path: Path) -> None:
    elsewhere = MemoryStore()
    cids: list[Cid] = [elsewhere.put(block(number)) for number in range(5)]
    kept = LayeredStore(BoundedStore(tmp_path, 2000), elsewhere)
    for _ in range(2):
        assert [kept.get(cid) for cid in cids] == [block(number) for number in range(5)]
    assert on_disk(tmp_path) == 2000
