"""The IPFS trustless gateway of a node (https://specs.ipfs.tech/http-gateways/trustless-gateway/).

Any IPFS client can fetch from it and verify the blocks. It serves blocks of this machine alone. One difference from the
specification: a CAR of a manifest does not include earlier manifests.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from knet.codec import Cid
from knet.content.base import BlockSource
from knet.content.car import write_car
from knet.content.dag import walk
from knet.errors import BlockNotFound, CodecError

from . import openapi
from .problems import problem

RAW_TYPE = "application/vnd.ipld.raw"
CAR_TYPE = "application/vnd.ipld.car"
FORMATS = {"raw": RAW_TYPE, "car": CAR_TYPE}
SCOPES = ("all", "entity", "block")
FOREVER = "public, max-age=29030400, immutable"  # 48 weeks, the specification's figure
MAX_CAR_BLOCKS = 1_000_000  # in one response


def gateway_router(source: BlockSource, allowed: Callable[[Cid], bool] | None = None) -> APIRouter:
    """Return ``GET`` and ``HEAD /ipfs/{cid}``, for blocks that ``source`` holds and ``allowed`` permits.

    A forbidden block and a missing one get the same answer.
    """
    permitted = _Permitted(source, allowed or (lambda cid: True))
    router = APIRouter(tags=["ipfs"])

    def block(request: Request, cid: str) -> Response:
        return _answer(permitted, request, cid)

    router.get("/ipfs/{cid}", **openapi.block(RAW_TYPE, CAR_TYPE))(block)
    router.head("/ipfs/{cid}", include_in_schema=False)(block)
    return router


class _Permitted:
    """A block source limited to permitted blocks."""

    def __init__(self, source: BlockSource, allowed: Callable[[Cid], bool]) -> None:
        self.source = source
        self.allowed = allowed

    def get(self, cid: Cid) -> bytes:
        if not self.has(cid):
            raise BlockNotFound(f"this node does not serve block {cid}.")
        return self.source.get(cid)

    def has(self, cid: Cid) -> bool:
        return self.allowed(cid) and self.source.has(cid)


def _answer(source: BlockSource, request: Request, name: str) -> Response:
    try:
        cid = Cid.parse(name)
    except CodecError as error:
        return problem(400, str(error))
    kind = _format(request)
    if kind is None:
        return problem(406, f"Ask for {RAW_TYPE} (?format=raw) or {CAR_TYPE} of version 1 (?format=car).")
    scope = request.query_params.get("dag-scope", SCOPES[0])
    if scope not in SCOPES:
        return problem(400, f"dag-scope must be one of {', '.join(SCOPES)}.")
    if not source.has(cid):
        return problem(404, f"This node does not serve block {cid}.")
    headers = _headers(cid, kind, scope)
    if _known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if kind == "raw":
        return Response(source.get(cid), headers=headers, media_type=RAW_TYPE)
    return _car(source, cid, scope, request.method, headers)


def _car(source: BlockSource, cid: Cid, scope: str, method: str, headers: dict[str, str]) -> Response:
    media_type = f"{CAR_TYPE}; version=1; order=dfs; dups=n"
    if method == "HEAD":
        return Response(headers=headers, media_type=media_type)
    # Only a UnixFS entity has several blocks; a record is one block.
    blocks = walk(source, cid, max_blocks=MAX_CAR_BLOCKS) if scope == "all" else iter([(cid, source.get(cid))])
    return StreamingResponse(write_car([cid], blocks), headers=headers, media_type=media_type)


def _format(request: Request) -> str | None:
    """Return ``raw`` or ``car``: the query parameter, else the preferred format of the Accept header."""
    if (wanted := request.query_params.get("format")) is not None:
        return wanted if wanted in FORMATS and request.query_params.get("car-version", "1") == "1" else None
    offers = [_offer(part) for part in request.headers.get("accept", "").split(",")]
    return max((offer for offer in offers if offer and offer[0] > 0), key=lambda offer: offer[0], default=(0, None))[1]


def _offer(part: str) -> tuple[float, str] | None:
    """Return preference and format of one entry of an Accept header, if the gateway has the format."""
    media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
    options = dict(item.split("=", 1) for item in parameters if "=" in item)
    if media_type == CAR_TYPE and options.get("version", "1") != "1":
        return None
    try:
        preference = float(options.get("q", "1"))
    except ValueError:
        return None
    return next(((preference, name) for name, known in FORMATS.items() if known == media_type), None)


def _headers(cid: Cid, kind: str, scope: str) -> dict[str, str]:
    return {
        "Cache-Control": FOREVER,
        "Content-Disposition": f'attachment; filename="{cid}.{"bin" if kind == "raw" else "car"}"',
        "ETag": f'"{cid}.raw"' if kind == "raw" else f'W/"{cid}.car.{scope}"',
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
        "X-Ipfs-Path": f"/ipfs/{cid}",
        "X-Ipfs-Roots": str(cid),
    }


def _known(request: Request, tag: str) -> bool:
    listed = [item.strip() for item in request.headers.get("if-none-match", "").split(",")]
    return "*" in listed or tag in listed
