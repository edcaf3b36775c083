"""What every handler does the same way: records in, records out, one place where errors become statuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from jupyter_server.base.handlers import APIHandler
from tornado import web

from knet.codec import from_json, to_json
from knet.errors import (
    ChainError,
    CodecError,
    ConfigError,
    KnetError,
    MissingExtra,
    NodeBusy,
    NotRegistered,
    TransportError,
)

from ..service import Service

STATUSES: tuple[tuple[type[KnetError], int], ...] = (
    (ConfigError, 400),
    (CodecError, 400),
    (NotRegistered, 404),
    (NodeBusy, 409),
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

    def body_as(self, kind: type[T]) -> T:
        """The request's JSON as a record; answers 400 when it is none."""
        with self.translated():
            return from_json(self.request.body or b"{}", kind)

    async def work(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run something that waits in a thread; what goes wrong becomes the reply."""
        with self.translated():
            return await asyncio.get_running_loop().run_in_executor(self.service.pool, function, *arguments)

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
