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
from knet.routing.options import NODE_TIMEOUT, PASSAGES, MaxNodes

from ...protocol import AskEvent, answered, asking, failed, node_done, phase, started, stopped
from .base import KnetHandler


class AskRequest(Record, frozen=True):
    """A question with its options; the fields are those of `Network.ask`."""

    question: str
    profile: str = ""
    k: int = PASSAGES
    max_nodes: MaxNodes = "auto"
    nodes: list[int] = []
    private: bool = False
    min_reliability: float = 0.0
    node_timeout: float = NODE_TIMEOUT  # seconds


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
            send(started(number))
            work = loop.run_in_executor(self.service.pool, self._ask, question, stop, send)
            work.add_done_callback(lambda _: send(None))
            while (event := await events.get()) is not None:
                await self._send(event)
            await work
        self.finish(set_content_type="application/x-ndjson")

    def _ask(self, question: AskRequest, stop: threading.Event, send: Send) -> None:
        try:
            network = self.service.clients.network(question.profile, lambda part: send(phase(part)), stop=stop)
            answer = network.ask(
                question.question,
                k=question.k,
                max_nodes=question.max_nodes,
                nodes=question.nodes,
                private=question.private,
                min_reliability=question.min_reliability,
                node_timeout=question.node_timeout,
                on_selected=lambda nodes: send(asking(nodes)),
                on_status=lambda node: send(node_done(node)),
                cancel=stop,
            )
            send(answered(answer))
        except Cancelled:
            send(stopped())
        except KnetError as error:
            send(failed(error))
        except Exception as error:  # the listener must get a last event
            self.log.exception("A question failed.")
            send(failed(KnetError(f"The server failed: {type(error).__name__}.", hint="Its log says more.")))

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
