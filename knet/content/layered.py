"""A local store in front of other sources: what was fetched once, and checked, is read here from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from ..codec import RAW, Cid
from ..errors import BlockNotFound, BlockTampered, ContentError, KnetError, TransportError
from .base import BlockSource, BlockStore


class LayeredStore:
    """Reads from ``local``, then from each source in order, keeping what it finds. Writes go to ``local``."""

    def __init__(self, local: BlockStore, *sources: BlockSource) -> None:
        self.local = local
        self.sources = sources

    def get(self, cid: Cid) -> bytes:
        """Raises what `first_found` does, and StoreError when the local store cannot keep the block."""
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
    """Reads from each source in order, and keeps nothing."""

    def __init__(self, *sources: BlockSource) -> None:
        self.sources = sources

    def get(self, cid: Cid) -> bytes:
        """Raises what `first_found` does."""
        return first_found(cid, self.sources)

    def has(self, cid: Cid) -> bool:
        return any(source.has(cid) for source in self.sources)


def first_found(cid: Cid, sources: Iterable[BlockSource], at_once: int = 1) -> bytes:
    """The block from the first source that has it, of which ``at_once`` are asked at the same time.

    Raises BlockNotFound when none has it; else BlockTampered if one lied, or why the first of the others failed.
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
    raise max(errors, key=_weight, default=BlockNotFound(f"there is no source to ask for block {cid}."))


def _results(
    get: Callable[[BlockSource], bytes | None], sources: Iterable[BlockSource], at_once: int
) -> Iterator[bytes | None]:
    """What each source gives, as it comes."""
    if at_once == 1:
        yield from map(get, sources)
        return
    pool = ThreadPoolExecutor(at_once, "knet-any")
    try:
        yield from (future.result() for future in as_completed([pool.submit(get, source) for source in sources]))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _weight(error: KnetError) -> int:
    return 0 if isinstance(error, BlockNotFound) else 2 if isinstance(error, BlockTampered) else 1
