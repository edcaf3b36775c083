"""Progress line of a question in a notebook, which is removed when the answer arrives."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from IPython.display import display

from knet.answer.render import plain
from knet.records import NodeStatus


class Progress:
    """One line of output while a block runs. `add` may be called from any thread."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._handle: Any = None
        self._done = 0

    def __enter__(self) -> Progress:
        self._handle = display({"text/plain": self._line}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show({})

    def add(self, node: NodeStatus) -> None:
        """Show the outcome of one more node."""
        self._done += 1
        line = f"{self._done} done; {plain(node.title)}: {node.status} in {node.milliseconds:.0f} ms"
        self._show({"text/plain": f"{self._line} {line}"})

    def _show(self, data: dict[str, str]) -> None:
        if self._handle is not None:  # None outside IPython
            self._handle.update(data, raw=True)
