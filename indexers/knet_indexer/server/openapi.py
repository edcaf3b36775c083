"""The contents of `/openapi.json`: descriptions of the routes, and schemas of the records."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI, Response

from knet.codec import Cid
from knet.rating.replication import BatchOffer
from knet.records import Card, SearchReply, SearchRequest
from knet.routing.service_status import ServiceStatus

from .head import MAX_INTEGER, MAX_QUESTION
from .negotiation import DAG_CBOR, JSON
from .problems import MEDIA_TYPE as PROBLEM
from .responses import ChangesReply, ManifestReply

_TEMPLATE = "#/components/schemas/{name}"
_PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def _content(name: str) -> dict[str, Any]:
    schema = {"$ref": _TEMPLATE.format(name=name)}
    return {DAG_CBOR: {"schema": schema}, JSON: {"schema": schema}}


def _problems(**reasons: str) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM: {"schema": {"$ref": _TEMPLATE.format(name="Problem")}}}
    return {int(status[1:]): {"description": reason, "content": content} for status, reason in reasons.items()}


def _route(summary: str, ok: dict[str, Any], **reasons: str) -> dict[str, Any]:
    return {"summary": summary, "response_class": Response, "responses": {200: ok, **_problems(**reasons)}}


_SHARE = "The client exceeds its rate; Retry-After names the wait."
_EMPTY = "The node has published nothing yet."
_GATED = "The collection is open only under an agreement with its owner."
_TEXT = {"description": "As text.", "content": {"text/plain": {"schema": {"type": "string"}}}}

INVALID = _problems(_422="A parameter is not valid.")[422]

SEARCH = {
    **_route(
        "The best passages for a question, with inclusion proofs and a signed receipt.",
        {"description": "Hits, best cosine first; at most 100 by each retriever.", "content": _content("SearchReply")},
        _400="The request is not valid.",
        _403=_GATED,
        _409="The query vector is in another space.",
        _413="The question or the body is too long.",
        _415="Neither dag-cbor nor JSON.",
        _429=_SHARE,
        _503=f"Too many searches are waiting; Retry-After names the wait. {_EMPTY}",
    ),
    "openapi_extra": {"requestBody": {"required": True, "content": _content("SearchRequest")}},
}
RATINGS = {
    **_route(
        "Keep the leaves of a rating batch that is on chain, for auditors to read at /ipfs.",
        {"description": "The node keeps them.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        _400="The blocks are not those of a batch on chain.",
        _410="The batch is too old.",
        _413="The body is too long.",
        _415="Neither dag-cbor nor JSON.",
        _429=_SHARE,
        _503="The chain cannot be read now.",
    ),
    "openapi_extra": {"requestBody": {"required": True, "content": _content("BatchOffer")}},
}
CARD = _route(
    "The routing card.", {"description": "The head's card.", "content": _content("Card")}, _429=_SHARE, _503=_EMPTY
)
MANIFEST = _route(
    "The head. Its CID is the ETag.",
    {"description": "The newest published manifest.", "content": _content("ManifestReply")},
    _429=_SHARE,
    _503=_EMPTY,
)
CHANGES = _route(
    "Documents added and removed since a sequence number.",
    {"description": "A page of changes, oldest first.", "content": _content("ChangesReply")},
    _403=_GATED,
    _429=_SHARE,
    _503=_EMPTY,
)
REGISTRATION = _route(
    "The node as ERC-8004 describes an agent.",
    {"description": "The registration document.", "content": {JSON: {"schema": {"type": "object"}}}},
    _503=_EMPTY,
)
HEALTH = _route("Liveness (healthz) and readiness to answer (readyz).", _TEXT, _503=_EMPTY)
STATUS = _route(
    "The head that the node serves and the searches it answered since its start.",
    {"description": "The node's state.", "content": _content("ServiceStatus")},
)
METRICS = _route("Metrics in Prometheus' text format.", _TEXT)


_CID = {
    "type": "string",
    "pattern": "^b[a-z2-7]{10,100}$",
    "description": "CIDv1, base32; an IPLD link in dag-cbor.",
}


def _base64(size: int) -> dict[str, Any]:
    """Return the JSON schema of ``size`` bytes."""
    length = 4 * -(-size // 3)
    padding = -size % 3
    return {"pattern": f"^[A-Za-z0-9+/]{{{length - padding}}}{'=' * padding}$"}


def block(*media_types: str) -> dict[str, Any]:
    """Return the description of the IPFS gateway's route."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    return {
        **_route(
            "A block, or a CAR of all blocks reachable from it (an IPFS trustless gateway).",
            {"description": "In the requested format.", "content": content},
            _400="Not a CID that this node can hold, or an unknown option.",
            _404="This node does not hold the block.",
            _406="The requested format is neither a raw block nor a CAR of version 1.",
            _429=_SHARE,
        ),
        "openapi_extra": {
            "parameters": [
                _query("format", "Overrides the Accept header.", "raw", "car"),
                _query("dag-scope", "Extent of a CAR.", "all", "entity", "block"),
                _query("car-version", "The only version.", "1"),
            ]
        },
    }


def _query(name: str, description: str, *values: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": list(values)}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


# The further limits of `check_request`.
_LIMITS: dict[str, dict[str, Any]] = {
    "question": {"minLength": 1, "maxLength": MAX_QUESTION, "pattern": r"\S"},
    "client": {"description": "20 bytes: the address that may rate.", **_base64(20)},
    "salt": {"description": "16 random bytes.", **_base64(16)},
    "k": {"minimum": 1, "maximum": MAX_INTEGER},
    "vector": {"description": "Little-endian float32, in `space`; empty: the node embeds the question."},
}


def _plain(kind: type) -> dict[str, Any]:
    """Return the schema of a `Cid`, the only type in a record that JSON Schema does not know."""
    assert kind is Cid
    return _CID


def describe(app: FastAPI) -> None:
    """Add the records to the application's OpenAPI document."""
    kinds = [SearchRequest, SearchReply, BatchOffer, Card, ManifestReply, ChangesReply, ServiceStatus]
    _, schemas = msgspec.json.schema_components(kinds, schema_hook=_plain, ref_template=_TEMPLATE)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {}).setdefault("schemas", {})
        components.update(schemas, Problem=_PROBLEM_SCHEMA)
        for name, limits in _LIMITS.items():
            components["SearchRequest"]["properties"][name].update(limits)
        for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own schemas, which no route uses
            components.pop(name, None)
        for route in (route for path in document["paths"].values() for route in path.values()):
            if "422" in route["responses"]:
                route["responses"]["422"] = INVALID
        return document

    app.openapi = openapi  # type: ignore[method-assign]
