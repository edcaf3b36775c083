"""Time and number limits of client connections, so that idle or slow clients do not block a node.

uvicorn itself waits without limit for a first request, and for a client that does not read.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .problems import problem
from .rate_limit import client_key

MAX_CONNECTIONS = 512  # each costs memory while it is idle; further ones are answered 503
PER_CLIENT = 64  # of them; programs on this machine have no limit
REQUEST_SECONDS = 10.0  # from its first byte, or the connection, until the head of a request is complete
READ_SECONDS = 60.0  # until a client has read its buffer, about 64 KiB

_full = problem(503, "This node has too many connections.", {"Retry-After": "1", "Connection": "close"})


class Connection(HttpToolsProtocol):
    """One client's connection, made by uvicorn."""

    _request_timer: TimerHandle | None = None
    _read_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        held = [peer[0] for each in self.connections if (peer := getattr(each, "client", None))]
        client = client_key(self.client[0]) if self.client else ""
        own = sum(client_key(host) == client for host in held) if client else 0
        if len(held) > 2 * MAX_CONNECTIONS or own > PER_CLIENT:
            transport.abort()
            return
        if len(held) > MAX_CONNECTIONS:
            self.app = _full
        self._await_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_request()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        _cancel(self._request_timer)
        self._request_timer = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._await_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_timer = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._read_timer)
        self._await_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._request_timer)
        _cancel(self._read_timer)
        super().connection_lost(exc)

    def _await_reader(self) -> None:
        """Abort a closing connection unless the client reads the rest of its buffer in time."""
        if self.transport.is_closing():
            _cancel(self._read_timer)
            self._read_timer = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def _await_request(self) -> None:
        """Abort the connection unless a whole request arrives in time."""
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)


def _cancel(timer: TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
