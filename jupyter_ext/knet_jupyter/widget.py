"""Form to ask, verify and rate, for every front end with Jupyter widgets: Lab, Notebook 7, VS Code, Colab."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from knet.answer.live import LiveAnswer
from knet.answer.render import form_text
from knet.answer.report import VerificationReport
from knet.client.shared import NetworkClient, shared_network
from knet.codec import to_plain
from knet.errors import ConfigError, KnetError
from knet.records import NodeStatus
from knet.routing.options import PASSAGES

STATIC = Path(__file__).parent / "static"


class AskWidget(anywidget.AnyWidget):
    """Form for a question. ``answer`` (the record as JSON), ``passages``, ``nodes`` and ``busy`` can be observed.

    ``network`` is the client to use; without it, the process's shared client of ``profile`` is used. `ask`, `rate`,
    `verify` and `flush` do from code what the form's buttons do.
    """

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"

    question = traitlets.Unicode().tag(sync=True)
    k = traitlets.Int(PASSAGES).tag(sync=True)
    max_nodes = traitlets.Union([traitlets.Enum(["auto", "all"]), traitlets.Int()], default_value="auto").tag(sync=True)
    private = traitlets.Bool(False).tag(sync=True)
    answer = traitlets.Dict(allow_none=True, default_value=None, read_only=True).tag(sync=True)
    passages: traitlets.List[Any] = traitlets.List(read_only=True).tag(sync=True)
    nodes: traitlets.List[Any] = traitlets.List(read_only=True).tag(sync=True)
    busy = traitlets.Bool(False, read_only=True).tag(sync=True)
    message = traitlets.Unicode(read_only=True).tag(sync=True)
    error = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(
        self, question: str = "", *, network: NetworkClient | None = None, profile: str | None = None, **traits: Any
    ) -> None:
        super().__init__(question=question, **traits)
        self._network = network
        self._profile = profile
        self._switching = threading.Lock()  # guards the change between idle and busy
        self.live: LiveAnswer | None = None
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return the text for readers without widgets: on paper, in a diff, on a page without a kernel."""
        return form_text(self.live.record if self.live else None)

    def ask(self, question: str | None = None) -> LiveAnswer:
        """Ask and show the answer. Raises as `Network.ask`, and ConfigError while another action runs."""
        if question is not None:
            self.question = question
        with self._work("asking the network ..."):
            self._set(nodes=[])
            live = self._connection().ask(
                self.question, k=self.k, max_nodes=self.max_nodes, private=self.private, on_status=self._on_status
            )
            self.live = live
            record = to_plain(live.record)
            self._set(answer=record, passages=record["passages"], nodes=record["nodes"])
        return live

    def rate(self, value: float, passage: int | None = None) -> None:
        """Queue a rating of the answer, or of one passage (counted from 1); `flush` puts it on chain."""
        with self._work("rating ..."):
            queued = self._answered().rate(value, passage=passage)
            self._set(message=f"{len(queued)} rated; not on chain yet")

    def flush(self) -> list[str]:
        """Put queued ratings on chain. Returns the transaction hashes."""
        with self._work("writing to the chain ..."):
            sent = self._connection().ratings.flush()
            self._set(message=f"on chain in {', '.join(sent)}" if sent else "there are no ratings to put on chain")
        return sent

    def verify(self) -> VerificationReport:
        """Check every claim of the answer again."""
        with self._work("checking every claim ..."):
            report = self._answered().verify()
            self._set(message=str(report))
        return report

    def _connection(self) -> NetworkClient:
        if self._network is None:
            self._network = shared_network(self._profile)
        return self._network

    def _answered(self) -> LiveAnswer:
        if self.live is None:
            raise ConfigError("There is no answer yet.", hint="Ask a question first.")
        return self.live

    def _on_status(self, status: NodeStatus) -> None:
        self._set(nodes=[*self.nodes, to_plain(status)])

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            self.set_trait(name, value)

    @contextmanager
    def _work(self, message: str) -> Iterator[None]:
        """Run one action at a time, and show ``message`` until it ends or shows its outcome."""
        with self._switching:
            if self.busy:
                raise ConfigError("The widget is busy.", hint="Wait until the current action ends.")
            self._set(busy=True, error="", message=message)
        try:
            yield
        finally:
            with self._switching:
                self._set(busy=False, message="" if self.message == message else self.message)

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        """Run an action of the form in a thread, so that the kernel can run cells meanwhile."""
        if action := self._action(content):
            threading.Thread(target=self._quietly, args=(action,), name="knet-widget", daemon=True).start()

    def _action(self, content: Any) -> Callable[[], object] | None:
        """Return the action that a message names, or None for a message that the form does not send."""
        match content:
            case {"do": "ask", "question": str(question)}:
                return lambda: self.ask(question)
            case {"do": "rate", "value": int(value), "passage": int() | None as passage}:
                return lambda: self.rate(value, passage)
            case {"do": "flush"}:
                return self.flush
            case {"do": "verify"}:
                return self.verify
        return None

    def _quietly(self, action: Callable[[], object]) -> None:
        try:
            action()
        except KnetError as error:
            self._set(error=error.described)
