"""What the node commands share: which node is meant, and bars for what takes time."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from knet.cli.common import console, print_json
from knet.errors import ConfigError

from ..config import node_home, nodes_folder

if TYPE_CHECKING:
    from ..node import Node

NodeArgument = Annotated[str, typer.Argument(metavar="[NAME]", help="The node; not needed when there is only one.")]
NodeOption = Annotated[str, typer.Option("--node", "-n", help="The node; not needed when there is only one.")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="The node's folder, if it is not in the usual place.")]

PHASES = {
    "list": "listing sources",
    "model": "loading the model",
    "read": "reading documents",
    "embed": "embedding passages",
    "chain": "talking to the chain",
    "assemble": "assembling the collection",
    "write": "writing shards",
    "card": "describing the collection",
    "index": "building the search index",
    "vectors": "arranging vectors for search",
    "pin": "pinning",
}


def open_node(name: str, home: Path | None) -> Node:
    """The node that a command is about. Raises ConfigError when that is not clear."""
    from ..node import Node  # here, so that `knet --help` stays quick

    name = name or os.environ.get("KNET_NODE", "")
    if home is None and not name:
        known = sorted(path.parent.name for path in nodes_folder().glob("*/node.json"))
        if len(known) != 1:
            hint = f"Name one of {', '.join(known)}." if known else "Create one with `knet node init NAME`."
            raise ConfigError("Which node?", hint=hint)
        name = known[0]
    return Node(home or node_home(name))


class Bars:
    """One line a phase on stderr; calling it is a `knet_indexer.node.Progress`."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._progress.add_task(PHASES.get(phase, phase), total=None)
        self._progress.update(self._tasks[phase], completed=done, total=total or None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()


class JsonLines:
    """Progress for programs: one JSON line on stdout for each phase, and then at most one a second."""

    def __init__(self) -> None:
        self._last: tuple[str, float] = ("", 0.0)

    def __call__(self, phase: str, done: int, total: int) -> None:
        before, when = self._last
        if phase != before or done == total or time.monotonic() - when >= 1:
            self._last = (phase, time.monotonic())
            print_json({"phase": phase, "done": done, "total": total})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


def stop_with_parent() -> None:
    """End this process as Ctrl-C would once whoever started it closes its standard input, or dies."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a lock on stdin would disturb the shutdown
                pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, name="knet-parent", daemon=True).start()
