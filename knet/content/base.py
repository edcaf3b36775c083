"""The protocol every store of content-addressed blocks follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from ..codec import RAW, Cid, block_of, decode

T = TypeVar("T")


class BlockSource(Protocol):
    """Where blocks can be read from: a local store, a daemon, a gateway, a CAR file."""

    def get(self, cid: Cid) -> bytes:
        """The block's bytes, checked against the CID.

        Raises BlockNotFound, BlockTampered, StoreError or a TransportError.
        """
        ...

    def has(self, cid: Cid) -> bool:
        """Whether `get` would find the block without asking another machine for it."""
        ...


class BlockStore(BlockSource, Protocol):
    """A place that also keeps blocks. `put` is durable when it returns."""

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Keep one block of at most 1 MiB; writing it again changes nothing. Raises StoreError."""
        ...

    def delete(self, cid: Cid) -> None:
        """Forget a block; unknown CIDs are fine."""
        ...

    def __iter__(self) -> Iterator[Cid]:
        """Every block that is kept."""
        ...


@runtime_checkable
class PinningStore(Protocol):
    """A store that forgets what nobody pins."""

    def pin(self, root: Cid) -> None:
        """Keep everything under ``root``. Raises BlockNotFound, StoreError."""
        ...


def put_record(store: BlockStore, record: msgspec.Struct) -> Cid:
    """Keep a record as a dag-cbor block."""
    cid, data = block_of(record)
    return store.put(data, cid.codec)


def get_record(source: BlockSource, cid: Cid, kind: type[T]) -> T:
    """The record in a block. Raises as `BlockSource.get`, and CodecError."""
    return decode(source.get(cid), kind)
