"""Connections that cannot hold a node up: each has a time in which to ask and to read, and each client a share of them.

uvicorn itself waits for a first request for ever, and for a reader as long.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .problems import problem
from .rate_limit import client_key

MAX_CONNECTIONS = 512  # each costs memory while it hangs; beyond, they are answered 503
PER_CLIENT = 64  # of them; this machine's own programs may have all
REQUEST_SECONDS = 10.0  # from its first byte, or the connection, until the head of a request is there
READ_SECONDS = 60.0  # until a reader has taken what is buffered for it, about 64 KiB

_full = problem(503, "This node has as many connections as it can bear.", {"Retry-After": "1", "Connection": "close"})


class Connection(HttpToolsProtocol):
    """One client's connection. uvicorn makes it."""

    _request_timer: TimerHandle | None = None
    _read_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        held = [peer[0] for each in self.connections if (peer := getattr(each, "client", None))]
        client = client_key(self.client[0]) if self.client else ""
        if len(held) > 2 * MAX_CONNECTIONS or (client and _many(client, held)):
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
        """A connection that is closed ends once what is buffered was taken; not even that is waited for for ever."""
        if self.transport.is_closing():
            _cancel(self._read_timer)
            self._read_timer = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def _await_request(self) -> None:
        """From now on a whole request is due."""
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)


def _many(client: str, held: list[str]) -> bool:
    return sum(client_key(host) == client for host in held) > PER_CLIENT


def _cancel(timer: TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
