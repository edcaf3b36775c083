"""Records over HTTP: dag-cbor for programs, JSON for people and scripts, by Content-Type and Accept."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from fastapi import HTTPException, Request, Response

from knet.codec import decode, encode, from_json, read_json, to_json
from knet.errors import CodecError, TooLarge

DAG_CBOR = "application/vnd.ipld.dag-cbor"
JSON = "application/json"
MAX_BODY = 64 << 10  # more than a question of 4,096 characters and a vector of 4,096 dimensions
BODY_SECONDS = 10.0  # a slower client only occupies a connection

T = TypeVar("T")


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return the request's body. Raises TooLarge beyond ``limit`` bytes, whatever its headers claim."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not declared.isdecimal() or int(declared[:20]) <= limit:
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
    """Return the encoding of the request's body, `DAG_CBOR` or `JSON`; answer 415 to others."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in (DAG_CBOR, JSON):
        raise HTTPException(415, f"Send {DAG_CBOR} or {JSON}, named in Content-Type.")
    return given


def parse(body: bytes, kind: type[T], encoding: str) -> T:
    """Return the record in a body. Raises CodecError."""
    if encoding == DAG_CBOR:
        return decode(body, kind)
    record = from_json(body, kind)
    if "type" not in read_json(body):  # JSON decoders accept records without it
        raise CodecError(f"not a {kind.__name__}: its type is missing.")
    return record


def reply(request: Request, record: msgspec.Struct, default: str = JSON) -> Response:
    """Return a record as a response, in the encoding that Accept names first, else in ``default``."""
    accept = request.headers.get("accept", "").lower()
    places = {kind: accept.find(kind) for kind in (DAG_CBOR, JSON) if kind in accept}
    encoding = min(places, key=lambda kind: places[kind]) if places else default
    return Response(encode(record) if encoding == DAG_CBOR else to_json(record), media_type=encoding)
