"""Records over HTTP: dag-cbor for programs, JSON for people and scripts, chosen by the usual two headers."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from fastapi import HTTPException, Request, Response

from knet.codec import decode, encode, from_json, to_json
from knet.errors import CodecError, TooLarge

DAG_CBOR = "application/vnd.ipld.dag-cbor"
JSON = "application/json"
MAX_BODY = 64 << 10  # a question of 4,096 characters and a vector of 4,096 dimensions, with room to spare
BODY_SECONDS = 10.0  # whoever sends that little slower than this only holds a connection

T = TypeVar("T")


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The request's body. Raises TooLarge beyond ``limit`` bytes, whatever its headers claim."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not declared.isdecimal() or int(declared) <= limit:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for piece in request.stream():
                    body += piece
                    if len(body) > limit:
                        break
                else:
                    return bytes(body)
        except TimeoutError:
            raise HTTPException(408, f"The request was not complete after {BODY_SECONDS:g} s.") from None
    raise TooLarge(f"the request has more than {limit} bytes.")


def request_encoding(request: Request) -> str:
    """How the request's body is encoded: `DAG_CBOR` or `JSON`; anything else is refused with 415."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in (DAG_CBOR, JSON):
        raise HTTPException(415, f"Send {DAG_CBOR} or {JSON}, and say which in Content-Type.")
    return given


def reply_encoding(request: Request, default: str) -> str:
    """The encoding of the reply: what Accept names first of the two, else ``default``."""
    accept = request.headers.get("accept", "").lower()
    places = {kind: accept.find(kind) for kind in (DAG_CBOR, JSON) if kind in accept}
    return min(places, key=lambda kind: places[kind]) if places else default


def parse(body: bytes, kind: type[T], encoding: str) -> T:
    """The record in a body. Raises CodecError."""
    if encoding == DAG_CBOR:
        return decode(body, kind)
    record = from_json(body, kind)
    if "type" not in msgspec.json.decode(body):  # JSON decoders let it be left out
        raise CodecError(f"not a {kind.__name__}: it does not say its type.")
    return record


def reply(record: msgspec.Struct, encoding: str) -> Response:
    """A record as a response."""
    return Response(encode(record) if encoding == DAG_CBOR else to_json(record), media_type=encoding)
