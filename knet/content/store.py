"""Embedded block stores: one file for each block on disk, or a dictionary in memory."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..codec import MAX_BLOCK, RAW, Cid
from ..errors import BlockNotFound, BlockTampered, CodecError, StoreError
from ..files import fsync_path, write_atomically

_HINTS = {
    errno.ENOSPC: "Free some space, or choose another folder.",
    errno.EDQUOT: "Free some space, or choose another folder.",
    errno.EROFS: "Choose a folder that can be written to.",
    errno.EACCES: "Choose a folder that can be written to.",
}
_DAMAGED = "Delete the file; the block is then fetched again."

MAX_PENDING = 50_000  # blocks that a batch flushes together: bounds the memory for their paths


class FileStore:
    """Blocks as files under one folder, named by their CIDs, for any number of threads and processes.

    Writes are atomic. A block is durable when `put` returns; inside `batch`, when the batch ends. A power cut in a
    batch may leave a torn block: `get` raises BlockTampered for it, and another `put` repairs it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = threading.local()

    def _path(self, cid: Cid) -> Path:
        name = str(cid)
        return self.path / name[-3:-1] / name  # the last characters but one are evenly spread (as in Kubo's flatfs)

    def get(self, cid: Cid) -> bytes:
        """Return the block, checked against its CID. Raises BlockNotFound, BlockTampered, StoreError."""
        path = self._path(cid)
        with _translated(path):
            try:
                return cid.check(path.read_bytes())
            except FileNotFoundError:
                raise BlockNotFound(f"{self.path} does not hold block {cid}.") from None
            except BlockTampered as error:
                raise BlockTampered(f"{path} is damaged.", hint=_DAMAGED) from error

    def has(self, cid: Cid) -> bool:
        path = self._path(cid)
        with _translated(path):
            return path.is_file()

    def view(self, cid: Cid) -> mmap.mmap:
        """Map the block into memory without a check, for callers that read little of it and check that part themselves.

        Raises BlockNotFound and StoreError.
        """
        path = self._path(cid)
        with _translated(path):
            try:
                with path.open("rb") as file:
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError:
                raise BlockNotFound(f"{self.path} does not hold block {cid}.") from None
            except ValueError as error:  # an empty file
                raise BlockTampered(f"{path} is damaged.", hint=_DAMAGED) from error

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Store a block. Raises StoreError when it is over 1 MiB, or the disk is full or read only."""
        cid = block_cid(data, codec)
        path = self._path(cid)
        pending: set[Path] | None = getattr(self._thread, "pending", None)
        stored = False
        with _translated(path):
            with suppress(FileNotFoundError):
                stored = path.read_bytes() == data
            if not stored:
                write_atomically(path, data, durable=pending is None)
            if pending is None:  # a stored block may come from another thread's unfinished batch
                fsync_path(path if stored else self.path)
        if pending is not None:
            pending.add(path)
            if len(pending) >= MAX_PENDING:
                with _translated(self.path):
                    _fsync_all(self.path, pending)
                pending.clear()
        return cid

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make the blocks that this thread stores inside durable together at the end, with one flush for all."""
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
                _fsync_all(self.path, pending)

    def delete(self, cid: Cid) -> None:
        path = self._path(cid)
        with _translated(path):
            path.unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Cid]:
        for path in self.path.glob("??/*"):
            try:
                yield Cid.parse(path.name)
            except CodecError:
                continue  # an unfinished write, or a file of another program

    def size(self, cid: Cid) -> int:
        """Return the length of a block in bytes, 0 when it is missing."""
        path = self._path(cid)
        with _translated(path), suppress(FileNotFoundError):
            return path.stat().st_size
        return 0

    def sizes(self) -> list[tuple[Cid, int]]:
        """Return every block with its size in bytes, oldest write first."""
        found: list[tuple[float, Cid, int]] = []
        for cid in self:
            try:
                about = self._path(cid).stat()
            except FileNotFoundError:  # another process deleted it just now
                continue
            found.append((about.st_mtime, cid, about.st_size))
        return [(cid, size) for _, cid, size in sorted(found, key=lambda each: each[0])]


class MemoryStore:
    """Blocks in memory."""

    def __init__(self) -> None:
        self._blocks: dict[Cid, bytes] = {}

    def get(self, cid: Cid) -> bytes:
        """Return the block. Raises BlockNotFound."""
        try:
            return self._blocks[cid]
        except KeyError:
            raise BlockNotFound(f"Block {cid} is not in memory.") from None

    def has(self, cid: Cid) -> bool:
        return cid in self._blocks

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Store a block. Raises StoreError when it is over 1 MiB."""
        cid = block_cid(data, codec)
        self._blocks[cid] = data
        return cid

    def delete(self, cid: Cid) -> None:
        self._blocks.pop(cid, None)

    def __iter__(self) -> Iterator[Cid]:
        return iter(list(self._blocks))


def block_cid(data: bytes, codec: int) -> Cid:
    """Return the CID of a block to be stored. Raises StoreError above 1 MiB."""
    if len(data) > MAX_BLOCK:
        raise StoreError(f"The block has {len(data)} bytes, which is over the limit of {MAX_BLOCK}.")
    return Cid.of(data, codec)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}.", hint=_HINTS.get(error.errno or 0, "")) from error


def _fsync_all(root: Path, paths: set[Path]) -> None:
    """Flush many files to disk. On Linux, one call flushes their whole file system, which is 20 times as fast."""
    if not paths:
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
        flushed = syncfs is not None and syncfs(handle) == 0
    finally:
        os.close(handle)
    if not flushed:
        for path in (*filter(Path.exists, paths), *{path.parent for path in paths}, root):
            fsync_path(path)
