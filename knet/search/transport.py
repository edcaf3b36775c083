"""Transport: one request to several nodes at once, each within its time and byte limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from ..codec import decode, encode
from ..errors import BadReply, CodecError, DeadlineExceeded, KnetError, TransportError, Unreachable
from ..http import HttpClient
from ..records import Record, SearchReply, SearchRequest
from ..routing.node_view import NodeView
from ..routing.options import NODE_TIMEOUT

MAX_REPLY_BYTES = 4 << 20  # 64 hits of 8 KiB text with vector and proof stay far below
STATUSES = {401: "access_denied", 402: "access_denied", 403: "access_denied", 429: "busy", 503: "busy"}
MEDIA_TYPE = "application/vnd.ipld.dag-cbor"


class Reply(Record, frozen=True):
    """Outcome of one request: a node's reply, or the status and the reason that there is none."""

    node: int
    milliseconds: float
    reply: SearchReply | None = None
    status: str = "success"
    detail: str = ""
    reached: bool = True  # False: no connection, or no reply in time


async def ask_nodes(
    http: HttpClient,
    targets: Sequence[tuple[NodeView, SearchRequest]],
    node_timeout: float = NODE_TIMEOUT,
) -> AsyncIterator[Reply]:
    """Ask every node at once, and yield replies as they arrive. Never raises for a node's failures."""
    tasks = [asyncio.create_task(_ask(http, view, request, node_timeout)) for view, request in targets]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for task in tasks:
            task.cancel()


async def _ask(http: HttpClient, view: NodeView, request: SearchRequest, node_timeout: float) -> Reply:
    started = time.perf_counter()
    node = view.entry.node

    def failed(status: str, error: Exception) -> Reply:
        reached = not isinstance(error, Unreachable | DeadlineExceeded)
        return Reply(node=node, milliseconds=elapsed_ms(started), status=status, detail=str(error), reached=reached)

    try:
        body = await http.fetch(
            "POST",
            view.entry.endpoint.rstrip("/") + "/v1/search",
            body=encode(request),
            content_type=MEDIA_TYPE,
            accept=MEDIA_TYPE,
            deadline=node_timeout,
            max_bytes=MAX_REPLY_BYTES,
        )
        return Reply(node=node, milliseconds=elapsed_ms(started), reply=decode(body, SearchReply))
    except DeadlineExceeded as error:
        return failed("timeout", error)
    except BadReply as error:
        return failed(STATUSES.get(error.status, "error"), error)
    except CodecError as error:
        return failed("unverified", error)
    except (TransportError, KnetError) as error:
        return failed("error", error)


def elapsed_ms(started: float) -> float:
    """Return the milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 2)
