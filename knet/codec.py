"""Codec of all records: canonical dag-cbor blocks named by CIDv1, and JSON.

Sources: dag-cbor (https://ipld.io/specs/codecs/dag-cbor/spec/), CIDv1 (https://github.com/multiformats/cid).
"""

from __future__ import annotations

import hashlib
import re
import threading
from typing import Annotated, Any, TypeVar, final

import libipld
import msgspec
from msgspec import Meta

from .errors import BlockTampered, CodecError

RAW = 0x55
DAG_CBOR = 0x71
MAX_BLOCK = 1 << 20  # every IPFS implementation carries 1 MiB; several refuse more
MAX_NESTING = 64  # records nest 6 deep; the decoder recurses, and a block of "[[[[..." would overflow the C stack
MAX_JSON_NESTING = 200  # of untrusted texts, such as notebooks
# Limits of the texts in records, in code points unless said: decoding refuses a record that exceeds one, and a node
# cuts or skips what would. Records of documents and nodes stand in many answers, and are fetched with each.
MAX_CHUNK = 8 << 10  # bytes of UTF-8: a model reads 256 to 512 tokens, and a reply holds up to 128 whole chunks
MAX_URI = 4096  # the path of a file in percent encoding; browsers and servers read 2,000 to 8,000
MAX_TITLE = 512
MAX_DESCRIPTION = 4096
MAX_LICENCE = 256  # an SPDX expression
MAX_MEDIA_TYPE = 255  # RFC 6838 allows 127 for each half
MAX_NAME = 64  # of a retriever, an encoding, a status, a kind of access
MAX_SCORES = 16  # retrievers that score one passage
MAX_LANGUAGES = 64  # RFC 5646 tags of at most 35 characters
MAX_PREFIX = 1024  # of a model's name, and of the texts that it wants before its input

Uri = Annotated[str, Meta(max_length=MAX_URI)]
Title = Annotated[str, Meta(max_length=MAX_TITLE)]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION)]
Licence = Annotated[str, Meta(max_length=MAX_LICENCE)]
MediaType = Annotated[str, Meta(max_length=MAX_MEDIA_TYPE)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Prefix = Annotated[str, Meta(max_length=MAX_PREFIX)]
Languages = Annotated[list[Name], Meta(max_length=MAX_LANGUAGES)]
Scores = Annotated[dict[Name, float], Meta(max_length=MAX_SCORES)]
ChunkText = Annotated[str, Meta(max_length=MAX_CHUNK)]
_SHA2_256 = b"\x12\x20"
_TAG = b"\xd8\x2a"  # dag-cbor's tag 42, for links
_TAGGED = re.compile(rb"\xd8\x2a(?:[\x41-\x57]\x00|\x58.\x00|\x59..\x00|[\x5a\x5b])", re.DOTALL)  # may begin a link
_LINK = re.compile(rb"\xd8\x2a\x58\x25\x00\x01[\x55\x71]\x12\x20")  # a link to a CID that `Cid` can hold
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # of JSON; one that does not end is matched once
_BRACKETS = re.compile(rb"[\[\]{}]")

_learnt: set[Any] = set()
_learning = threading.Lock()

T = TypeVar("T")


def is_chunk(text: str) -> bool:
    """Return True for a text of at most `MAX_CHUNK` bytes."""
    return 4 * len(text) <= MAX_CHUNK or len(text.encode(errors="replace")) <= MAX_CHUNK


@final
class Cid:
    """A CIDv1 with sha2-256, the only kind that knet writes. ``raw`` is its binary form (36 bytes), ``str`` base32."""

    __slots__ = ("raw",)
    raw: bytes

    def __init__(self, raw: bytes) -> None:
        if len(raw) != 36 or raw[0] != 1 or raw[1] not in (RAW, DAG_CBOR) or raw[2:4] != _SHA2_256:
            raise CodecError(f"not a CIDv1 of raw or dag-cbor with sha2-256: {raw[:40].hex()}")
        object.__setattr__(self, "raw", raw)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Cid is immutable")

    def __reduce__(self) -> tuple[type[Cid], tuple[bytes]]:
        return Cid, (self.raw,)

    @classmethod
    def of(cls, data: bytes, codec: int = RAW) -> Cid:
        """Return the CID of a block; ``codec`` is the format of its bytes."""
        return cls.from_digest(hashlib.sha256(data).digest(), codec)

    @classmethod
    def from_digest(cls, digest: bytes, codec: int = DAG_CBOR) -> Cid:
        """Return the CID with a known sha2-256 digest (32 bytes), which is what the chain stores."""
        return cls(bytes((1, codec)) + _SHA2_256 + digest)

    @classmethod
    def parse(cls, text: str) -> Cid:
        """Parse a CID in any multibase encoding. Raises CodecError."""
        try:
            found = libipld.decode_cid(text)
            multihash = found["hash"]
            if found["version"] != 1 or multihash["code"] != 0x12:
                raise ValueError("version or hash function")
            return cls.from_digest(multihash["digest"], found["codec"])
        except (ValueError, TypeError) as error:
            raise CodecError(
                f"{text[:80]!r} is not a CID that knet can read.", hint="Use a CIDv1 with sha2-256, such as bafy..."
            ) from error

    @property
    def codec(self) -> int:
        return self.raw[1]

    @property
    def digest(self) -> bytes:
        return self.raw[4:]

    def check(self, data: bytes) -> bytes:
        """Return ``data`` if it hashes to this CID. Raises BlockTampered."""
        if hashlib.sha256(data).digest() != self.raw[4:]:
            raise BlockTampered(f"block {self} does not match its CID ({len(data)} bytes).")
        return data

    def __str__(self) -> str:
        return str(libipld.encode_cid(self.raw))

    def __repr__(self) -> str:
        return f"Cid({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cid) and self.raw == other.raw

    def __lt__(self, other: Cid) -> bool:
        return self.raw < other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


def _to_raw(value: Any) -> Any:
    if isinstance(value, Cid):
        return value.raw
    raise CodecError(f"a record cannot hold a {type(value).__name__}")


def _to_text(value: Any) -> Any:
    if isinstance(value, Cid):
        return str(value)
    raise CodecError(f"a record cannot hold a {type(value).__name__}")


def _from_plain(kind: type, value: Any) -> Any:
    if kind is Cid:
        if isinstance(value, str | bytes):
            return Cid.parse(value) if isinstance(value, str) else Cid(value)
        raise CodecError(f"a {type(value).__name__} is not a CID")
    raise CodecError(f"a record cannot hold a {kind}")


def encode(record: msgspec.Struct) -> bytes:
    """Return the canonical dag-cbor of a record; a ``Cid`` becomes an IPLD link. Raises CodecError."""
    plain = msgspec.to_builtins(record, builtin_types=(bytes,), enc_hook=_to_raw)
    try:
        return _encode_plain(plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise CodecError(f"{type(record).__name__} cannot be encoded: {error}") from error


def _encode_plain(plain: Any) -> bytes:
    """Return dag-cbor in which the 36 bytes of a CID are a link and all other bytes are bytes.

    libipld writes any bytes that start like a CID as a link, as one in 2,500 random digests does. Other
    implementations cannot read such a link.
    """
    data = bytes(libipld.encode_dag_cbor(plain))
    if len(_TAGGED.findall(data)) == len(_LINK.findall(data)):
        return data
    pieces, done = [], 0
    for at in _scan(data):
        if not _LINK.match(data, at):
            length, content = _bytes_head(data, at + len(_TAG))
            pieces += [data[done:at], _bytes_prefix(length - 1)]
            done = content + 1  # past the zero byte that begins a link
    return b"".join((*pieces, data[done:]))


def _bytes_head(data: bytes, at: int) -> tuple[int, int]:
    """Return length and start of the byte string at an offset."""
    short = data[at] & 31
    width = 1 << (short - 24) if short >= 24 else 0
    return (int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else short), at + 1 + width


def _bytes_prefix(length: int) -> bytes:
    if length < 24:
        return bytes((0x40 | length,))
    width = 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4
    return bytes((0x57 + width.bit_length(),)) + length.to_bytes(width, "big")


def decode_plain(block: bytes) -> Any:
    """Return the dicts, lists and scalars in a block; a link becomes the 36 bytes of its CID. Raises CodecError."""
    return _read(block)[0]


def _read(block: bytes) -> tuple[Any, list[int] | None]:
    """Return the content of a block, and the offsets of its tags if a scan was necessary."""
    may_nest = len(block) - len(block.translate(None, _CONTAINERS)) >= MAX_NESTING
    tags = _scan(block) if may_nest else None
    try:
        return libipld.decode_dag_cbor(block), tags
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(f"not dag-cbor: {error}") from error


def _is_canonical(block: bytes, plain: Any, tags: list[int] | None) -> bool:
    if libipld.encode_dag_cbor(plain) == block and _has_only_links(block, tags):
        return True
    return _encode_plain(plain) == block  # bytes that begin like a CID


def _has_only_links(block: bytes, tags: list[int] | None) -> bool:
    if tags is None:
        return block.count(_TAG) == len(_LINK.findall(block))
    return all(_LINK.match(block, at) for at in tags)


def _size(head: int) -> int:
    """Return the size of an item by its first byte; 0 for longer strings, lists, maps and tags."""
    major, count = divmod(head, 32)
    if major in (0, 1, 7) and count < 28:
        return 1 + (1 << (count - 24) if count >= 24 else 0)
    return 1 + count if major in (2, 3) and count < 24 else 0


_SIZES = bytes(map(_size, range(256)))
_CONTAINERS = bytes(range(0x80, 0xE0))  # first bytes of lists, maps and tags, which also occur inside other items


def _scan(block: bytes) -> list[int]:
    """Return the offsets of all tags. Raises CodecError for nesting deeper than `MAX_NESTING`.

    libipld relies on the interpreter's recursion limit, which the import of web3 raises to ten million.
    """
    left = 1  # items still to come at this level
    pending: list[int] = []  # the same for the levels around it
    at = 0
    tags = []
    try:
        while left or pending:
            if not left:
                left = pending.pop()
                continue
            left -= 1
            head = block[at]
            if size := _SIZES[head]:
                at += size
                continue
            major, count = head >> 5, head & 31
            if major == 6:
                tags.append(at)
            at += 1
            if count >= 24:
                width = 1 << (count - 24)
                count = int.from_bytes(block[at : at + width], "big")
                at += width
            if major in (2, 3):
                at += count
            elif major in (4, 5, 6):
                pending.append(left)
                left = (count, 2 * count, 1)[major - 4]
                if len(pending) >= MAX_NESTING:
                    raise CodecError(f"not a record: it nests more than {MAX_NESTING} deep.")
    except IndexError as error:
        raise CodecError(f"not dag-cbor: it is cut short ({len(block)} bytes).") from error
    return tags


def _learn(kind: Any) -> None:
    """Make msgspec inspect a type in one thread only: two threads at the same time have crashed the process."""
    if kind not in _learnt:
        with _learning:
            msgspec.json.Decoder(kind, dec_hook=_from_plain)
            _learnt.add(kind)


def decode(block: bytes, kind: type[T]) -> T:
    """Return the record in a block. Raises CodecError if it is not canonical dag-cbor or not a ``kind``."""
    plain, tags = _read(block)
    try:
        if not _is_canonical(block, plain, tags):
            raise CodecError(f"not canonical dag-cbor ({len(block)} bytes).")
        _learn(kind)
        return msgspec.convert(plain, kind, builtin_types=(bytes,), dec_hook=_from_plain)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"not a {kind.__name__}: {error}") from error


def block_of(record: msgspec.Struct) -> tuple[Cid, bytes]:
    """Return a record as a block: its CID and its bytes."""
    data = encode(record)
    return Cid.of(data, DAG_CBOR), data


def cid_of(record: msgspec.Struct) -> Cid:
    return block_of(record)[0]


def to_json(record: Any, *, indent: int = 0) -> str:
    """Return JSON with CIDs as strings and bytes as base64."""
    data = msgspec.json.encode(record, enc_hook=_to_text)
    return (msgspec.json.format(data, indent=indent) if indent else data).decode()


def _check_nesting(text: str | bytes) -> None:
    """Raise CodecError for JSON that nests too deep, since msgspec relies on the interpreter's recursion limit."""
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise CodecError(f"not JSON: {error}") from error
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_JSON_NESTING:
            raise CodecError(f"not JSON that knet reads: it nests more than {MAX_JSON_NESTING} deep.")


def read_json(text: str | bytes) -> Any:
    """Return the dicts, lists and scalars of a JSON text. Raises CodecError."""
    _check_nesting(text)
    try:
        return msgspec.json.decode(text)
    except ValueError as error:
        raise CodecError(f"not JSON: {error}") from error


def to_plain(record: Any) -> Any:
    """Return the dicts, lists and scalars of `to_json`, to embed them in another JSON document."""
    return read_json(to_json(record))


def from_json(text: str | bytes, kind: type[T]) -> T:
    """Return the record in a JSON text, the inverse of `to_json`. Raises CodecError."""
    _check_nesting(text)
    try:
        _learn(kind)
        return msgspec.json.decode(text, type=kind, dec_hook=_from_plain)
    except (ValueError, RecursionError) as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"not a {kind.__name__}: {error}") from error
