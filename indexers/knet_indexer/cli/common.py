"""Common parts of the node commands: options, the choice of a node, progress display."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer
from rich import progress
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from knet.cli.common import console, print_json
from knet.errors import ConfigError

from ..config import node_home, node_names

if TYPE_CHECKING:
    from ..node import Node, Progress

NodeArgument = Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the node, if there are several.")]
NodeOption = Annotated[str, typer.Option("--node", "-n", help="Name of the node, if there are several.")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the node, if it is not the default.")]

R = TypeVar("R")

PHASES = {
    "list": "listing sources",
    "model": "loading the model",
    "read": "reading documents",
    "embed": "embedding passages",
    "chain": "waiting for the chain",
    "assemble": "assembling the collection",
    "write": "writing shards",
    "card": "describing the collection",
    "index": "building the search index",
    "vectors": "arranging vectors for search",
    "pin": "pinning",
}


def open_node(name: str, home: Path | None) -> Node:
    """Open the node of a command. Raises ConfigError when several exist and none is named."""
    from ..node import Node  # imported here to keep `knet --help` quick

    name = name or os.environ.get("KNET_NODE", "")
    if home is None and not name:
        known = node_names()
        if len(known) != 1:
            hint = f"Name one of {', '.join(known)}." if known else "Create one with `knet node init NAME`."
            raise ConfigError("No node is named, and there is not exactly one.", hint=hint)
        name = known[0]
    return Node(home or node_home(name))


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress on stderr, one line for each phase."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with progress.Progress(*columns, console=console, transient=True) as bars:

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(PHASES.get(phase, phase), total=None)
            bars.update(tasks[phase], completed=done, total=total or None)

        yield show


@contextmanager
def json_lines() -> Iterator[Progress]:
    """Print progress for programs: one JSON line on stdout for each phase, and then at most one a second.

    ``seconds_left`` is an estimate from the phase so far, None while the total is unknown.
    """
    last, began, first = ("", 0.0), 0.0, 0

    def show(phase: str, done: int, total: int) -> None:
        nonlocal last, began, first
        now = time.monotonic()
        if phase != last[0]:
            began, first = now, done
        if phase != last[0] or done == total or now - last[1] >= 1:
            last = (phase, now)
            made = done - first
            left = round((now - began) * (total - done) / made, 1) if total and made > 0 else None
            print_json({"phase": phase, "done": done, "total": total, "seconds_left": left})

    yield show


def can_ask() -> bool:
    """Return whether a person can answer a question: stdin is a terminal, and not that of a notebook's ``!command``."""
    return sys.stdin.isatty() and "JPY_PARENT_PID" not in os.environ  # set by ipykernel


def plain_fields(record: Any) -> dict[str, Any]:
    """Return a record as JSON values."""
    plain: dict[str, Any] = msgspec.to_builtins(record, enc_hook=str)
    return plain


def report_result(report: R, as_json: bool, show: Callable[[R], None], *, phase: str = "") -> None:
    """Print a report as JSON, or show it to people. ``phase`` marks one of several JSON lines."""
    if as_json:
        print_json({"phase": phase, **plain_fields(report)} if phase else report)
    else:
        show(report)


def allowed_name(name: str, specs: Iterable[str]) -> str:
    """Return a document's name for `NodeConfig.allow`: the path of an existing file in its source, else ``name``."""
    path = Path(name).expanduser().absolute()
    roots = [Path(argument) for kind, _, argument in (spec.partition(":") for spec in specs) if kind != "sitemap"]
    inside = [path.relative_to(root).as_posix() for root in roots if path.is_relative_to(root)]
    return inside[0] if inside and path.is_file() else name


def stop_with_parent() -> None:
    """Interrupt this process as Ctrl-C would when its parent closes its standard input, or dies."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a lock on stdin would block the shutdown
                pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, name="knet-parent", daemon=True).start()
