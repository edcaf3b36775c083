"""Disk cache of blocks with a size limit and least-recently-used eviction."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from ..codec import RAW, Cid
from .store import FileStore


class BoundedStore:
    """`FileStore` that evicts the least recently used blocks beyond ``max_bytes``.

    Several processes may share the folder. Each counts the blocks that it found there and those that it wrote itself.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._files = FileStore(path)
        self._lock = threading.Lock()
        self._sizes: OrderedDict[Cid, int] | None = None  # least recently used first; read on first use
        self._total = 0

    def get(self, cid: Cid) -> bytes:
        """Return a block, checked. Raises as `FileStore.get`."""
        data = self._files.get(cid)
        with self._lock:
            if self._sizes is not None and cid in self._sizes:
                self._sizes.move_to_end(cid)
        return data

    def has(self, cid: Cid) -> bool:
        return self._files.has(cid)

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Store a block until it is evicted. Raises as `FileStore.put`."""
        cid = self._files.put(data, codec)
        with self._lock:
            sizes = self._block_sizes()
            self._total += len(data) - sizes.get(cid, 0)
            sizes[cid] = len(data)
            sizes.move_to_end(cid)
            while self._total > self.max_bytes and len(sizes) > 1:
                oldest, size = sizes.popitem(last=False)
                self._total -= size
                self._files.delete(oldest)
        return cid

    def delete(self, cid: Cid) -> None:
        with self._lock:
            self._total -= self._block_sizes().pop(cid, 0)
        self._files.delete(cid)

    def __iter__(self) -> Iterator[Cid]:
        return iter(self._files)

    def _block_sizes(self) -> OrderedDict[Cid, int]:
        if self._sizes is None:
            self._sizes = OrderedDict(self._files.sizes())
            self._total = sum(self._sizes.values())
        return self._sizes
