"""Routes of a question: one JSON line for each event until the answer. A closed connection cancels the question."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from knet.codec import to_json
from knet.errors import Cancelled, KnetError
from knet.records import Record

from ...protocol import ASK_OPTIONS, AskEvent, AskRequest, Phase, answered
from .base import KnetHandler

Send = Callable[[AskEvent], None]


class AskHandler(KnetHandler):
    """POST: newline-delimited JSON events, see `knet_jupyter.protocol`."""

    _stop: threading.Event | None = None

    @web.authenticated
    @authorized
    async def post(self) -> None:
        question = self.body_as(AskRequest)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("X-Accel-Buffering", "no")  # nginx would hold the lines back
        self.set_header("Cache-Control", "no-store")
        loop, events = asyncio.get_running_loop(), asyncio.Queue[AskEvent | None]()

        def send(event: AskEvent | None) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        with self.service.asking() as (number, stop):
            self._stop = stop
            send(AskEvent(event="started", id=number))
            work = loop.run_in_executor(self.service.pool, self._ask, question, stop, send)
            work.add_done_callback(lambda _: send(None))
            while (event := await events.get()) is not None:
                await self._send(event)
            await work
        self.finish(set_content_type="application/x-ndjson")

    def _ask(self, question: AskRequest, stop: threading.Event, send: Send) -> None:
        def report(part: Phase) -> None:
            send(AskEvent(event="phase", phase=part))

        try:
            answer = self.service.clients.network(question.profile, report, stop=stop).ask(
                question.question,
                on_selected=lambda nodes: send(AskEvent(event="asking", nodes=list(nodes))),
                on_status=lambda node: send(AskEvent(event="node", node=node)),
                cancel=stop,
                **{name: getattr(question, name) for name in ASK_OPTIONS},
            )
            send(answered(answer))
        except Cancelled:
            send(AskEvent(event="stopped"))
        except KnetError as error:
            send(AskEvent(event="error", message=error.described, reason=type(error).__name__))
        except Exception as error:  # the listener must get a last event
            self.log.exception("A question failed.")
            message = f"The server failed: {type(error).__name__}. Its log says more."
            send(AskEvent(event="error", message=message, reason=KnetError.__name__))

    async def _send(self, event: AskEvent) -> None:
        try:
            self.write(to_json(event) + "\n")
            await self.flush()
        except StreamClosedError:
            self.on_connection_close()

    def on_connection_close(self) -> None:
        """Cancel the question of a client that closed its connection."""
        if self._stop is not None:
            self._stop.set()
        super().on_connection_close()


class StopRequest(Record, frozen=True):
    id: str


class StopHandler(KnetHandler):
    """POST {id}: cancel a question on the server."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body: dict[str, Any] = {"stopped": self.service.stop(self.body_as(StopRequest).id)}
        self.reply(body)
