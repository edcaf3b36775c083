"""Combinations of block sources: a local store as a cache in front of others, and sources with fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from ..codec import RAW, Cid
from ..errors import BlockNotFound, BlockTampered, ContentError, KnetError, TransportError
from .base import BlockSource, BlockStore


class LayeredStore:
    """Store that reads from ``local``, then from each source in order, and stores in ``local`` what it fetched."""

    def __init__(self, local: BlockStore, *sources: BlockSource) -> None:
        self.local = local
        self.sources = sources

    def get(self, cid: Cid) -> bytes:
        """Return the block. Raises as `first_found`, and StoreError when the local store cannot write it."""
        try:
            return self.local.get(cid)
        except (BlockNotFound, BlockTampered):
            if not self.sources:
                raise
        data = first_found(cid, self.sources)
        self.local.put(data, cid.codec)
        return data

    def has(self, cid: Cid) -> bool:
        return self.local.has(cid)

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        return self.local.put(data, codec)

    def delete(self, cid: Cid) -> None:
        self.local.delete(cid)

    def __iter__(self) -> Iterator[Cid]:
        return iter(self.local)


class FallbackSource:
    """Source that reads from each of its sources in order, and stores nothing."""

    def __init__(self, *sources: BlockSource) -> None:
        self.sources = sources

    def get(self, cid: Cid) -> bytes:
        """Return the block. Raises as `first_found`."""
        return first_found(cid, self.sources)

    def has(self, cid: Cid) -> bool:
        return any(source.has(cid) for source in self.sources)


def first_found(cid: Cid, sources: Iterable[BlockSource], at_once: int = 1) -> bytes:
    """Return the block from the first source that has it; ``at_once`` sources are queried in parallel.

    Raises BlockTampered if a source returned wrong bytes; else the first failure of a source; else BlockNotFound.
    """
    errors: list[KnetError] = []

    def get(source: BlockSource) -> bytes | None:
        try:
            return cid.check(source.get(cid))
        except (ContentError, TransportError) as error:
            errors.append(error)
            return None

    for block in _results(get, sources, at_once):
        if block is not None:
            return block
    raise max(errors, key=_severity, default=BlockNotFound(f"Block {cid} cannot be fetched: no source is configured."))


def _results(
    get: Callable[[BlockSource], bytes | None], sources: Iterable[BlockSource], at_once: int
) -> Iterator[bytes | None]:
    """Yield the result of each source as it arrives."""
    if at_once == 1:
        yield from map(get, sources)
        return
    pool = ThreadPoolExecutor(at_once, "knet-any")
    try:
        yield from (future.result() for future in as_completed([pool.submit(get, source) for source in sources]))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _severity(error: KnetError) -> int:
    return 0 if isinstance(error, BlockNotFound) else 2 if isinstance(error, BlockTampered) else 1
