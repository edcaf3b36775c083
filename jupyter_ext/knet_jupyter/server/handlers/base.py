"""What every handler does the same way: records in, records out, one place where errors become statuses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

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
    (Cancelled, 499),  # as nginx logs it where nobody waits for a reply
    (MissingExtra, 501),
    (ChainError, 502),
    (TransportError, 502),
)

T = TypeVar("T")


def status_of(error: KnetError) -> int:
    """The HTTP status that says what kind of failure this is."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


class KnetHandler(APIHandler):
    """Base of all: signed-in users whom the server's authorizer lets use ``knet``."""

    auth_resource = "knet"
    service: Service

    def initialize(self, service: Service) -> None:
        self.service = service
        self.gone = threading.Event()  # set when whoever sent the request does not wait for its reply any more

    def on_connection_close(self) -> None:
        self.gone.set()
        super().on_connection_close()

    def network(self, profile: str) -> Network:
        """The client of a network, as long as somebody waits for it; for threads. Raises as `Clients.network`."""
        return self.service.clients.network(profile, stop=self.gone)

    def network_of(self, answer: Answer, profile: str) -> Network:
        """The same of the network that an answer came from, see `Clients.network_of`."""
        return self.service.clients.network_of(answer, profile, stop=self.gone)

    def body_as(self, kind: type[T]) -> T:
        """The request's JSON as a record; answers 400 when it is none."""
        with self.translated():
            return from_json(self.request.body or b"{}", kind)

    async def work(self, function: Callable[..., T], *arguments: Any, pool: Executor | None = None) -> T:
        """Run something that waits in a thread; what goes wrong becomes the reply."""
        with self.translated():
            return await asyncio.get_running_loop().run_in_executor(pool or self.service.pool, function, *arguments)

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except KnetError as error:
            self.set_status(status_of(error))
            self.finish(json.dumps({"message": str(error), "reason": type(error).__name__}))
            raise web.Finish from error

    def reply(self, record: Any) -> None:
        """Finish with a record as JSON."""
        self.finish(to_json(record))
