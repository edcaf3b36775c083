"""Tests of CAR files: round trips, another implementation, damaged files."""

from __future__ import annotations

import io

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knet.codec import DAG_CBOR, MAX_BLOCK, RAW, Cid
from knet.content.car import read_car, write_car
from knet.errors import BlockTampered, CodecError

BLOCKS = st.lists(st.binary(max_size=300).map(lambda data: (Cid.of(data), data)), max_size=8)
ONE = Cid.of(b"one")


def archive(roots: list[Cid], blocks: list[tuple[Cid, bytes]]) -> bytes:
    return b"".join(write_car(roots, blocks))


def read(data: bytes) -> tuple[list[Cid], list[tuple[Cid, bytes]]]:
    roots, blocks = read_car(io.BytesIO(data))
    return roots, list(blocks)


@given(BLOCKS, st.integers(0, 3))
def test_written_car_is_read_back(blocks: list[tuple[Cid, bytes]], count: int) -> None:
    roots = [cid for cid, _ in blocks[:count]]
    assert read(archive(roots, blocks)) == (roots, blocks)


@given(st.lists(st.binary(max_size=300).map(lambda data: libipld.encode_dag_cbor({"data": data})), max_size=8))
def test_written_car_is_read_by_libipld(blocks: list[bytes]) -> None:
    named = [(Cid.of(block, DAG_CBOR), block) for block in blocks]
    header, found = libipld.decode_car(archive([ONE], named))
    assert header == {"roots": [ONE.raw], "version": 1}
    assert found == {cid.raw: libipld.decode_dag_cbor(block) for cid, block in named}


@given(BLOCKS, st.data())
def test_car_with_one_damaged_byte_is_detected(blocks: list[tuple[Cid, bytes]], data: st.DataObject) -> None:
    whole = archive([ONE], [(ONE, b"one"), *blocks])
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        roots, found = read(bytes(damaged))
    except (CodecError, BlockTampered):
        return
    # The undetected changes: another root in the header, or another codec in a CID. The bytes are still the CID's.
    assert all(cid.check(block) == block for cid, block in found)
    assert [block for _, block in found] == [b"one", *(block for _, block in blocks)]
    assert len(roots) == 1


@given(BLOCKS, st.data())
def test_truncated_car_is_refused(blocks: list[tuple[Cid, bytes]], data: st.DataObject) -> None:
    whole = archive([ONE], [(ONE, b"one"), *blocks])
    kept = data.draw(st.integers(0, len(whole) - 1))
    try:
        _, found = read(whole[:kept])
    except CodecError:
        return
    assert len(found) < len(blocks) + 1  # cut between two blocks, which the format cannot tell


@pytest.mark.parametrize(
    "noise", [b"", b"\x00", b"\xff" * 20, b"PK\x03\x04", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"]
)
def test_random_bytes_are_refused_as_car(noise: bytes) -> None:
    with pytest.raises(CodecError):
        read(noise)


def test_car_of_version_2_is_refused() -> None:
    with pytest.raises(CodecError, match="version 2"):
        read(archive([], []).replace(b"\x67version\x01", b"\x67version\x02"))


def test_non_minimal_length_is_refused() -> None:
    whole = archive([], [(ONE, b"one")])
    assert whole[-40] == 39
    with pytest.raises(CodecError, match="minimal"):
        read(whole[:-40] + b"\xa7\x00" + whole[-39:])


def test_block_over_the_limit_is_refused_before_reading() -> None:
    large = bytes(MAX_BLOCK + 1)
    with pytest.raises(CodecError, match="section"):
        read(archive([], [(Cid.of(large), large)]))


@pytest.mark.parametrize("codec", [RAW, DAG_CBOR])
def test_largest_block_fits(codec: int) -> None:
    large = bytes(MAX_BLOCK)
    assert read(archive([], [(Cid.of(large, codec), large)]))[1] == [(Cid.of(large, codec), large)]
