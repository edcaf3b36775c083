"""What is fetched from a node goes out at the pace of each client's share: in full at first, and then as it refills.

A body is slowed down where it is sent, whether it is one block or a whole collection as a CAR; only who has more under
way than it could be given in a while is sent away.
"""

from __future__ import annotations

import asyncio
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import problem
from .rate_limit import TokenBuckets, client_key

MEBIBYTE = 1 << 20
BURST_SECONDS = 8  # of a client's share at once: what routing needs of the largest node, a small collection whole
REQUEST_BYTES = 4096  # what a request counts for besides what it is sent: looking costs, too, if only to find nothing
MAX_WAIT = 10.0  # seconds; more than that is owed only by who asks for many things at the same time


class BandwidthLimiter:
    """An ASGI application whose replies under ``paths`` share ``mebibytes`` a second for each client address.

    This machine's own programs are not counted.
    """

    def __init__(self, app: ASGIApp, *, mebibytes: float, paths: tuple[str, ...]) -> None:
        self._app = app
        self._paths = paths
        self._rate = mebibytes
        rate = mebibytes * MEBIBYTE
        self._buckets = TokenBuckets(rate, BURST_SECONDS * rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = self._counted(scope)
        if not client:
            await self._app(scope, receive, send)
            return
        owed = self._buckets.borrow(client, 0)
        if owed > MAX_WAIT:
            detail = f"This node sends {self._rate:g} MiB a second to each client, and this one has more under way."
            await problem(429, detail, {"Retry-After": str(ceil(owed))})(scope, receive, send)
            return
        await asyncio.sleep(self._buckets.borrow(client, REQUEST_BYTES))

        async def paced(message: Message) -> None:
            if body := message.get("body"):
                await asyncio.sleep(self._buckets.borrow(client, len(body)))
            await send(message)

        await self._app(scope, receive, paced)

    def _counted(self, scope: Scope) -> str:
        """The client whose share a request comes out of, if any."""
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            return ""
        return client_key(scope["client"][0] if scope.get("client") else "")
