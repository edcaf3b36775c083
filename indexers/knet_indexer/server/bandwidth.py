"""Bandwidth limit of downloads for each client: a burst at full speed, then a fixed rate.

A body is delayed while it is sent, be it one block or a whole collection as a CAR. A client is refused only with more
requests in progress than its rate could serve in a while.
"""

from __future__ import annotations

import asyncio
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import problem
from .rate_limit import TokenBuckets, client_key

MEBIBYTE = 1 << 20
BURST_SECONDS = 8  # of the rate at once: the routing data of the largest node, or a small collection
REQUEST_BYTES = 4096  # cost of a request besides its body, even if nothing is found
MAX_WAIT = 10.0  # seconds; only a client with many parallel requests owes more


class BandwidthLimiter:
    """An ASGI application whose replies under ``paths`` share ``mebibytes`` a second for each client address.

    Programs on this machine have no limit.
    """

    def __init__(self, app: ASGIApp, *, mebibytes: float, paths: tuple[str, ...]) -> None:
        self._app = app
        self._paths = paths
        self._rate = mebibytes
        rate = mebibytes * MEBIBYTE
        self._buckets = TokenBuckets(rate, BURST_SECONDS * rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = self._limited_client(scope)
        if not client:
            await self._app(scope, receive, send)
            return
        owed = self._buckets.borrow(client, 0)
        if owed > MAX_WAIT:
            detail = f"This node sends {self._rate:g} MiB a second to each client; this client has too many downloads."
            await problem(429, detail, {"Retry-After": str(ceil(owed))})(scope, receive, send)
            return
        await asyncio.sleep(self._buckets.borrow(client, REQUEST_BYTES))

        async def paced(message: Message) -> None:
            if body := message.get("body"):
                await asyncio.sleep(self._buckets.borrow(client, len(body)))
            await send(message)

        await self._app(scope, receive, paced)

    def _limited_client(self, scope: Scope) -> str:
        """Return the client that a request counts for, ``""`` for none."""
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            return ""
        return client_key(scope["client"][0] if scope.get("client") else "")
