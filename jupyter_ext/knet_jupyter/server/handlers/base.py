"""Base of the handlers: records in, records out, and the only place where errors become HTTP statuses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from knet.client.network import Network
from knet.codec import from_json, to_json
from knet.errors import (
    Cancelled,
    ChainError,
    CodecError,
    ConfigError,
    KnetError,
    MissingExtra,
    NodeBusy,
    NotRegistered,
    TransportError,
)
from knet.records import Answer

from ..service import Service

STATUSES: tuple[tuple[type[KnetError], int], ...] = (
    (ConfigError, 400),
    (CodecError, 400),
    (NotRegistered, 404),
    (NodeBusy, 409),
    (Cancelled, 499),  # the status that nginx logs for a client that closed its connection
    (MissingExtra, 501),
    (ChainError, 502),
    (TransportError, 502),
)

T = TypeVar("T")


def status_of(error: KnetError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


class KnetHandler(APIHandler):
    """Base of all handlers: for signed-in users to whom the server's authorizer grants ``knet``."""

    auth_resource = "knet"
    service: Service

    def initialize(self, service: Service) -> None:
        self.service = service
        self.closed = threading.Event()  # set when the client has closed its connection

    def on_connection_close(self) -> None:
        self.closed.set()
        super().on_connection_close()

    def network(self, profile: str) -> Network:
        """Return the client of a network, until the request is closed; for threads. Raises as `Clients.network`."""
        return self.service.clients.network(profile, stop=self.closed)

    def network_of(self, answer: Answer, profile: str) -> Network:
        """Return the client of the network that an answer came from, see `Clients.network_of`."""
        return self.service.clients.network_of(answer, profile, stop=self.closed)

    def body_as(self, kind: type[T]) -> T:
        """Return the request's JSON as a record; replies 400 to a malformed request."""
        with self.translated():
            return from_json(self.request.body or b"{}", kind)

    async def work(self, function: Callable[..., T], *arguments: Any, pool: Executor | None = None) -> T:
        """Run a blocking function in a thread; an error becomes the reply."""
        with self.translated():
            return await asyncio.get_running_loop().run_in_executor(pool or self.service.pool, function, *arguments)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Reply with the error that the block raises."""
        try:
            yield
        except KnetError as error:
            self.set_status(status_of(error))
            self.finish(json.dumps({"message": error.described, "reason": type(error).__name__}))
            raise web.Finish from error

    def reply(self, record: Any) -> None:
        """Finish with a record as JSON."""
        self.finish(to_json(record))


class ReadHandler(KnetHandler):
    """Base of the GET handlers, which read from the network of a profile."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.reply(await self.work(self.read, self.get_query_argument("profile", "")))

    def read(self, profile: str) -> object:
        """Return the record to reply with; runs in a thread."""
        raise NotImplementedError


class CallHandler(KnetHandler):
    """Base of the POST handlers, which take one record of the type ``request_type``."""

    request_type: type[Any]

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.reply(await self.work(self.call, self.body_as(self.request_type)))

    def call(self, body: Any) -> object:
        """Return the record to reply with; runs in a thread."""
        raise NotImplementedError
