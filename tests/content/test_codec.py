"""Tests of the codec against an independent implementation: the strict, pure-Python `dag-cbor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_origin

import dag_cbor
import libipld
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiformats import CID

from knet import records
from knet.codec import (
    DAG_CBOR,
    MAX_NESTING,
    RAW,
    Cid,
    block_of,
    decode,
    decode_plain,
    encode,
    from_json,
    read_json,
    to_json,
)
from knet.errors import CodecError
from knet.records import Document, Manifest, Record

KINDS = sorted(
    (kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, Record) and kind != Record),
    key=lambda kind: kind.__name__,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CIDS = st.builds(Cid.of, st.binary(max_size=9), st.sampled_from([RAW, DAG_CBOR]))
LOOKALIKES = st.sampled_from(
    [b"\x01\x55\x12\x20", b"\x01\x09\x1c\x04", b"\x12\x20", b"\x01\0\0\0", b"\xd8\x2a\x58\x25\0"]
)
BYTES = st.one_of(
    st.binary(max_size=35),
    st.builds(lambda start, rest: start + rest, LOOKALIKES, st.binary(max_size=300)).filter(lambda b: len(b) != 36),
)
LEAVES = {
    int: st.integers(0, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),  # no -0.0: libipld makes it 0.0
    str: TEXT,
    bool: st.booleans(),
    bytes: BYTES,
    Cid: CIDS,
    type(None): st.none(),
    msgspec.UnsetType: st.just(msgspec.UNSET),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a field's type."""
    if kind in LEAVES:
        return LEAVES[kind]
    if get_origin(kind) is Annotated:
        most = kind.__metadata__[0].max_length
        return any_of(kind.__origin__).filter(lambda value: len(value) <= most)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any_record(kind)
    inner = [any_of(part) for part in kind.__args__]
    if getattr(kind, "__origin__", None) is list:
        return st.lists(inner[0], max_size=3)
    if getattr(kind, "__origin__", None) is dict:
        return st.dictionaries(inner[0], inner[1], max_size=3)
    return st.one_of(inner)


def any_record(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    fields = {field.name: any_of(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


def for_oracle(value: Any) -> Any:
    """Return a record in the reference library's types: dicts, and its CIDs."""
    if isinstance(value, Cid):
        return CID.decode(value.raw)
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        named = {name: for_oracle(field) for name, field in fields.items() if field is not msgspec.UNSET}
        tag = value.__struct_config__
        return {tag.tag_field: tag.tag, **named} if tag.tag_field else named
    if isinstance(value, dict):
        return {key: for_oracle(item) for key, item in value.items()}
    return [for_oracle(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_record_encodes_as_dag_cbor_library_and_decodes(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(any_record(kind))
    block = encode(record)
    assert block == dag_cbor.encode(for_oracle(record))
    assert decode(block, kind) == record
    assert from_json(to_json(record), kind) == record


@given(CIDS)
def test_cid_equals_that_of_multiformats(cid: Cid) -> None:
    assert str(CID.decode(cid.raw).set(base="base32")) == str(cid)
    assert Cid.parse(str(cid)) == cid
    assert Cid.parse(str(CID.decode(cid.raw).set(base="base58btc"))) == cid


@pytest.mark.parametrize(
    "text", ["", "b", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPpm4"[:20], "bafkqaaa", "../../x", "é"]
)
def test_unsupported_cid_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        Cid.parse(text)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_canonical(noise: bytes) -> None:
    try:
        found = decode(noise, Document)
    except CodecError:
        return
    assert encode(found) == noise


@given(st.data())
def test_damaged_record_is_refused_or_decodes_to_another(data: st.DataObject) -> None:
    _, block = block_of(data.draw(any_record(Manifest)))
    damaged = bytearray(block)
    damaged[data.draw(st.integers(0, len(block) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(damaged), Manifest)
    except CodecError:
        return
    assert encode(found) in (bytes(damaged), encode(found))
    assert decode(encode(found), Manifest) == found


@pytest.mark.parametrize("length", [4, 23, 24, 25, 32, 33, 34, 35, 37, 255, 256, 257, 65_535, 65_536, 70_000])
def test_bytes_with_the_prefix_of_a_cid_stay_bytes(length: int) -> None:
    """One digest in 2,500 is affected; other IPFS implementations cannot read the block if it becomes a link."""
    begins_like_one = (b"\x01\x09\x1c\x00" + bytes(length))[:length]
    record = records.Lexical(terms=[], df=begins_like_one, lengths=begins_like_one)
    assert libipld.encode_dag_cbor(begins_like_one)[:2] == b"\xd8\x2a"
    assert encode(record) == dag_cbor.encode(for_oracle(record))
    assert decode(encode(record), records.Lexical) == record


def test_link_to_unsupported_cid_is_refused() -> None:
    record = records.Lexical(terms=[], df=b"\x01\x09\x1c\x00", lengths=b"")
    block = libipld.encode_dag_cbor(msgspec.to_builtins(record, builtin_types=(bytes,)))
    assert b"\xd8\x2a" in block
    with pytest.raises(CodecError, match="canonical"):
        decode(block, records.Lexical)


def test_non_minimal_integer_is_refused() -> None:
    block = encode(records.Tombstone(start=1, stop=2))
    assert block.count(b"\x01") == 1
    with pytest.raises(CodecError, match="canonical"):
        decode(block.replace(b"\x01", b"\x18\x01"), records.Tombstone)


@contextmanager
def recursion_limit(limit: int) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    "level", [b"\x81", b"\xa1\x61a", b"\xd8\x2a", b"\x82\x00", b"\x9a\x00\x00\x00\x01", b"\x82\x81\x00"]
)
def test_nesting_over_the_limit_is_refused(level: bytes) -> None:
    """web3 raises the recursion limit to ten million on import, at which the decoder would overflow its stack."""
    with recursion_limit(10_000_000), pytest.raises(CodecError, match="deep"):
        decode_plain(level * 200_000 + b"\x80")


def test_nesting_at_the_limit_is_read() -> None:
    block = b"\x81" * (MAX_NESTING - 1) + b"\x00"
    assert decode_plain(block) == libipld.decode_dag_cbor(block)
    with pytest.raises(CodecError, match="deep"):
        decode_plain(b"\x81" + block)


@pytest.mark.parametrize("block", [b"", b"\x81", b"\x9f\xff", b"\x5f\x41a\xff", b"\x9b" + b"\xff" * 8, b"\x45ab"])
def test_truncated_or_indefinite_block_is_refused(block: bytes) -> None:
    with pytest.raises(CodecError):
        decode_plain(block)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"type":"x","y":' + "[" * 100_000])
def test_json_that_nests_without_end_is_refused_before_anything_recurses(text: str) -> None:
    """web3 lifts the interpreter's recursion limit, so the decoder would overflow the C stack."""
    for read in (read_json, lambda text: from_json(text, Document)):
        with pytest.raises(CodecError, match="nests"):
            read(text)


def test_brackets_inside_texts_do_not_count() -> None:
    text = "[" * 1000 + '\\"' + "]{" * 1000
    assert read_json(to_json({text: [text]})) == {text: [text]}
    with pytest.raises(CodecError):
        read_json('"' + '\\"[' * 100_000)
