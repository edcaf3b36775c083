"""Reader and writer of CARv1, the archive format of IPFS (https://ipld.io/specs/transport/car/carv1/).

A CAR is a header (dag-cbor: roots, version 1) and then the blocks, each as CID and bytes; lengths are unsigned varints.
The reader checks every block against its CID.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..codec import MAX_BLOCK, Cid, decode, encode
from ..errors import CodecError
from ..limits import Links
from ..records import Record
from .base import BlockStore

CID_LENGTH = 36
MAX_HEADER = 1 << 16  # room for 1,500 roots; one is usual
_VARINT_BYTES = 9  # https://github.com/multiformats/unsigned-varint: a longer one is invalid


class _Header(Record, frozen=True):
    roots: Links
    version: int


def write_car(roots: Sequence[Cid], blocks: Iterable[tuple[Cid, bytes]]) -> Iterator[bytes]:
    """Yield the bytes of a CAR: the header, then each block as ``blocks`` yields it."""
    header = encode(_Header(roots=list(roots), version=1))
    yield _varint(len(header)) + header
    for cid, data in blocks:
        yield _varint(CID_LENGTH + len(data)) + cid.raw + data


def read_car(file: BinaryIO) -> tuple[list[Cid], Iterator[tuple[Cid, bytes]]]:
    """Return the roots, and an iterator that reads and checks one block at a time.

    Raises CodecError (also from the iterator) unless the file is a complete CARv1 of blocks that knet can read, and
    BlockTampered.
    """
    header = decode(_section(file, 1, MAX_HEADER) or b"", _Header)
    if header.version != 1:
        raise CodecError(f"The CAR has version {header.version}; knet reads version 1 only.")
    return header.roots, _blocks(file)


def import_car(file: BinaryIO, store: BlockStore) -> list[Cid]:
    """Store every block of a CAR and return its roots. Raises as `read_car`, and StoreError."""
    roots, blocks = read_car(file)
    for cid, data in blocks:
        store.put(data, cid.codec)
    return roots


def _blocks(file: BinaryIO) -> Iterator[tuple[Cid, bytes]]:
    while section := _section(file, CID_LENGTH, CID_LENGTH + MAX_BLOCK):
        cid = Cid(section[:CID_LENGTH])
        yield cid, cid.check(section[CID_LENGTH:])


def _section(file: BinaryIO, least: int, most: int) -> bytes | None:
    """Return the next length-prefixed section; None at the end of the file."""
    length = _read_varint(file)
    if length is None:
        return None
    if not least <= length <= most:
        raise CodecError(f"A CAR section has {length} bytes; {least} to {most} are allowed.")
    data = file.read(length)
    if len(data) != length:
        raise CodecError(f"The CAR is cut short: {length - len(data)} bytes are missing.")
    return data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _read_varint(file: BinaryIO) -> int | None:
    value = 0
    for position in range(_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            if position:
                raise CodecError("The CAR is cut short inside a length.")
            return None
        value |= (byte[0] & 0x7F) << 7 * position
        if byte[0] < 0x80:
            if position and not byte[0]:
                raise CodecError("A length in the CAR is not minimal.")
            return value
    raise CodecError("A length in the CAR has too many bytes.")
