"""Tests of the file store: durability, atomicity, errors."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from knet.codec import MAX_BLOCK, Cid
from knet.content.store import FileStore
from knet.errors import BlockTampered, StoreError


def file_of(store: FileStore, cid: Cid) -> Path:
    (path,) = store.path.rglob(str(cid))
    return path


def test_blocks_outlive_the_store_object(tmp_path: Path) -> None:
    cid = FileStore(tmp_path).put(b"kept")
    assert FileStore(tmp_path).get(cid) == b"kept"


def test_damaged_file_is_detected_and_repaired_by_put(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    cid = store.put(b"whole")
    file_of(store, cid).write_bytes(b"who")
    with pytest.raises(BlockTampered, match=str(file_of(store, cid))):
        store.get(cid)
    store.put(b"whole")
    assert store.get(cid) == b"whole"


def test_unfinished_writes_and_other_files_are_not_listed(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    cid = store.put(b"block")
    folder = file_of(store, cid).parent
    (folder / f".{cid}.1.1").write_bytes(b"blo")
    (folder / "README").write_text("not a block")
    assert list(store) == [cid]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_full_disk_error_names_path_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    store = FileStore(tmp_path)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=str(tmp_path)) as caught:
        store.put(b"block")
    assert caught.value.hint
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_store_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "blocks").write_text("in the way")
    store = FileStore(tmp_path / "blocks")
    for attempt in (lambda: store.put(b"block"), lambda: store.get(Cid.of(b"block"))):
        with pytest.raises(StoreError, match="blocks"):
            attempt()


def test_batch_flushes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    store = FileStore(tmp_path)
    with store.batch():
        with store.batch():
            cids = [store.put(bytes([n])) for n in range(50)]
        store.delete(cids.pop())
        assert [store.get(cid) for cid in cids] == [bytes([n]) for n in range(49)]
        assert flushed == []
    assert sorted(FileStore(tmp_path)) == sorted(cids)
    store.put(b"after the batch")
    assert flushed


def test_failed_batch_keeps_earlier_blocks(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(StoreError), store.batch():
        _ = store.put(b"before"), store.put(bytes(MAX_BLOCK + 1))
    assert store.get(Cid.of(b"before")) == b"before"


def test_threads_put_the_same_blocks(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    blocks = [bytes([n]) * 5000 for n in range(20)]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for block in blocks:
                assert store.get(store.put(block)) == block
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(store)) == len(blocks)
