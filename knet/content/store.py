"""The embedded block stores: one file a block on disk, or a bounded cache in memory."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..codec import MAX_BLOCK, RAW, Cid
from ..errors import BlockNotFound, BlockTampered, CodecError, StoreError

_HINTS = {
    errno.ENOSPC: "Free some space, or choose another folder.",
    errno.EDQUOT: "Free some space, or choose another folder.",
    errno.EROFS: "Choose a folder that can be written to.",
    errno.EACCES: "Choose a folder that can be written to.",
}


MAX_PENDING = 50_000  # blocks of a batch that are flushed together: bounds what is remembered of them


class FileStore:
    """Blocks as files under one folder, named by their CIDs, for any number of threads and processes.

    A block appears whole or not at all, and is on the disk when `put` returns; inside `batch` it is when that ends.
    A block that a power cut in a batch left torn reads as BlockTampered, and putting it again mends it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = threading.local()

    def _where(self, cid: Cid) -> Path:
        name = str(cid)
        return self.path / name[-3:-1] / name  # the last characters but one are evenly spread (as in Kubo's flatfs)

    def get(self, cid: Cid) -> bytes:
        """The block, checked against its CID. Raises BlockNotFound, BlockTampered, StoreError."""
        path = self._where(cid)
        with _translated(path):
            try:
                return cid.check(path.read_bytes())
            except FileNotFoundError:
                raise BlockNotFound(f"{self.path} does not hold block {cid}.") from None
            except BlockTampered as error:
                raise BlockTampered(f"{path} is damaged.", hint="Delete it to have it fetched again.") from error

    def has(self, cid: Cid) -> bool:
        path = self._where(cid)
        with _translated(path):
            return path.is_file()

    def view(self, cid: Cid) -> mmap.mmap:
        """The block mapped into memory and not checked: for whoever reads little of it, and checks that by other means.

        Raises BlockNotFound and StoreError.
        """
        path = self._where(cid)
        with _translated(path):
            try:
                with path.open("rb") as file:
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError:
                raise BlockNotFound(f"{self.path} does not hold block {cid}.") from None
            except ValueError as error:  # an empty file
                raise BlockTampered(f"{path} is damaged.", hint="Delete it to have it fetched again.") from error

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Keep a block. Raises StoreError when it is over 1 MiB, or the disk is full or read only."""
        cid = _named(data, codec)
        path = self._where(cid)
        pending: set[Path] | None = getattr(self._thread, "pending", None)
        with _translated(path):
            if not _holds(path, data):
                _replace(path, data, durable=pending is None)
            elif pending is None:
                _flush(path)  # another thread's batch may have written it just now
        if pending is not None:
            pending.add(path)
            if len(pending) >= MAX_PENDING:
                with _translated(self.path):
                    _flush_all(self.path, pending)
                pending.clear()
        return cid

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Blocks this thread puts inside become durable together at the end: one flush instead of one a block."""
        if getattr(self._thread, "pending", None) is not None:
            yield
            return
        pending: set[Path] = set()
        self._thread.pending = pending
        try:
            yield
        finally:
            self._thread.pending = None
            with _translated(self.path):
                _flush_all(self.path, pending)

    def delete(self, cid: Cid) -> None:
        path = self._where(cid)
        with _translated(path):
            path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Cid]:
        for path in self.path.glob("??/*"):
            try:
                yield Cid.parse(path.name)
            except CodecError:
                continue  # a write under way, or somebody else's file

    def sizes(self) -> list[tuple[Cid, int]]:
        """Every block and its bytes, the one written first in front."""
        found: list[tuple[float, Cid, int]] = []
        for cid in self:
            try:
                about = self._where(cid).stat()
            except FileNotFoundError:  # another process deleted it just now
                continue
            found.append((about.st_mtime, cid, about.st_size))
        return [(cid, size) for _, cid, size in sorted(found, key=lambda each: each[0])]


class MemoryStore:
    """Blocks in memory; with ``max_bytes``, a cache that drops what was least recently used."""

    def __init__(self, max_bytes: int | None = None) -> None:
        self.max_bytes = max_bytes
        self._blocks: OrderedDict[Cid, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, cid: Cid) -> bytes:
        """The block. Raises BlockNotFound."""
        with self._lock:
            if cid not in self._blocks:
                raise BlockNotFound(f"block {cid} is not in memory.")
            self._blocks.move_to_end(cid)
            return self._blocks[cid]

    def has(self, cid: Cid) -> bool:
        return cid in self._blocks

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Keep a block. Raises StoreError when it is over 1 MiB."""
        cid = _named(data, codec)
        with self._lock:
            if cid not in self._blocks:
                self._size += len(data)
            self._blocks[cid] = data
            self._blocks.move_to_end(cid)
            while self.max_bytes is not None and self._size > self.max_bytes and len(self._blocks) > 1:
                self._size -= len(self._blocks.popitem(last=False)[1])
        return cid

    def delete(self, cid: Cid) -> None:
        with self._lock:
            self._size -= len(self._blocks.pop(cid, b""))

    def __iter__(self) -> Iterator[Cid]:
        return iter(list(self._blocks))


def _named(data: bytes, codec: int) -> Cid:
    if len(data) > MAX_BLOCK:
        raise StoreError(f"a block of {len(data)} bytes is over the limit of {MAX_BLOCK}.")
    return Cid.of(data, codec)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}.", hint=_HINTS.get(error.errno or 0, "")) from error


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def _replace(path: Path, data: bytes, *, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        _flush(path.parent, path.parent.parent)


def _flush(*paths: Path) -> None:
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _flush_all(root: Path, paths: set[Path]) -> None:
    """Put many files on the disk: Linux flushes the file system that holds them in one call, 20 times as fast."""
    if not paths:
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
        flushed = syncfs is not None and syncfs(handle) == 0
    finally:
        os.close(handle)
    if not flushed:
        _flush(*(path for path in paths if path.exists()), *{path.parent for path in paths}, root)
