"""Asking: one JSON line for each thing that happens, until the answer; a closed connection withdraws the question."""

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
from knet.search.limits import DEADLINE_SECONDS, PASSAGES

from ...protocol import Event, answered, asking, failed, node_done, phase, started, stopped
from .base import KnetHandler


class Question(Record, frozen=True):
    """What the panel asks; the fields are those of `Network.ask`."""

    question: str
    profile: str = ""
    k: int = PASSAGES
    ask: int | None = None
    nodes: list[int] = []
    private: bool = False
    min_reliability: float = 0.0
    deadline: float = DEADLINE_SECONDS  # a node


Tell = Callable[[Event], None]


class AskHandler(KnetHandler):
    """POST: newline-delimited JSON events, see `knet_jupyter.protocol`."""

    _stop: threading.Event | None = None

    @web.authenticated
    @authorized
    async def post(self) -> None:
        question = self.body_as(Question)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("X-Accel-Buffering", "no")  # nginx would hold the lines back
        self.set_header("Cache-Control", "no-store")
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

        def tell(event: Event | None) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        with self.service.asking() as (number, stop):
            self._stop = stop
            tell(started(number))
            work = loop.run_in_executor(self.service.pool, self._ask, question, stop, tell)
            work.add_done_callback(lambda _: tell(None))
            while (event := await events.get()) is not None:
                await self._send(event)
            await work
        self.finish(set_content_type="application/x-ndjson")

    def _ask(self, question: Question, stop: threading.Event, tell: Tell) -> None:
        try:
            network = self.service.clients.network(question.profile, lambda part: tell(phase(part)), stop=stop)
            answer = network.ask(
                question.question,
                k=question.k,
                ask=question.ask,
                nodes=question.nodes,
                private=question.private,
                min_reliability=question.min_reliability,
                deadline=question.deadline,
                on_asking=lambda nodes: tell(asking(nodes)),
                on_status=lambda node: tell(node_done(node)),
                stop=stop,
            )
            tell(answered(answer))
        except Cancelled:
            tell(stopped())
        except KnetError as error:
            tell(failed(error))
        except Exception as error:  # whoever listens must hear of the end
            self.log.exception("A question failed.")
            tell(failed(KnetError(f"The server failed: {type(error).__name__}.", hint="Its log says more.")))

    async def _send(self, event: Event) -> None:
        try:
            self.write(to_json(event) + "\n")
            await self.flush()
        except StreamClosedError:
            self.on_connection_close()

    def on_connection_close(self) -> None:
        """Whoever asked went away."""
        if self._stop is not None:
            self._stop.set()
        super().on_connection_close()


class Number(Record, frozen=True):
    id: str


class StopHandler(KnetHandler):
    """POST {id}: withdraws a question on the server."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body: dict[str, Any] = {"stopped": self.service.stop(self.body_as(Number).id)}
        self.reply(body)
