"""Protocols of content-addressed block sources and stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from ..codec import RAW, Cid, block_of, decode

T = TypeVar("T")


class BlockSource(Protocol):
    """Readable source of blocks: a local store, a daemon, a gateway, a CAR file."""

    def get(self, cid: Cid) -> bytes:
        """Return the block's bytes, checked against the CID.

        Raises BlockNotFound, BlockTampered, StoreError or a TransportError.
        """
        ...

    def has(self, cid: Cid) -> bool:
        """Tell if `get` would find the block without a request to another machine."""
        ...


class BlockStore(BlockSource, Protocol):
    """Readable and writable block store. `put` is durable when it returns."""

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Store one block of at most 1 MiB; writing it again changes nothing. Raises StoreError."""
        ...

    def delete(self, cid: Cid) -> None:
        """Delete a block; unknown CIDs are ignored."""
        ...

    def __iter__(self) -> Iterator[Cid]:
        """Iterate over the CIDs of all stored blocks."""
        ...


@runtime_checkable
class PinningStore(Protocol):
    """Store whose garbage collection removes unpinned blocks."""

    def pin(self, root: Cid) -> None:
        """Protect everything under ``root`` from garbage collection. Raises BlockNotFound, StoreError."""
        ...


def put_record(store: BlockStore, record: msgspec.Struct) -> Cid:
    """Store a record as a dag-cbor block. Raises StoreError."""
    cid, data = block_of(record)
    return store.put(data, cid.codec)


def get_record(source: BlockSource, cid: Cid, kind: type[T]) -> T:
    """Return the record in a block. Raises as `BlockSource.get`, and CodecError."""
    return decode(source.get(cid), kind)
