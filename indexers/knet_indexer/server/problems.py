"""Translation of errors to HTTP: problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from knet.errors import BlockNotFound, CodecError, KnetError, NodeBusy, SpaceMismatch, TooLarge

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[KnetError], int] = {
    CodecError: 400,
    BlockNotFound: 404,
    SpaceMismatch: 409,
    TooLarge: 413,
    NodeBusy: 503,
}

log = logging.getLogger("knet.node")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document; its title is the status's own name, its detail the reason."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error as a problem document, including routing and validation errors."""

    async def on_knet_error(request: Request, error: Exception) -> Response:
        status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
        if status == 500:  # the message stays in the log
            log.error("a request failed: %s", error)
            return await on_bug(request, error)
        return problem(status, str(error), {"Retry-After": "1"} if status == 503 else None)

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, error.detail, error.headers)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        return problem(422, found)

    async def on_bug(request: Request, error: Exception) -> Response:
        return problem(500, "The node failed; its log has the reason.")

    app.add_exception_handler(KnetError, on_knet_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_bug)
