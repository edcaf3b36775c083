"""Shared parts of all commands: options, errors in one line, JSON output, the network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from ..answer.render import plain
from ..codec import to_json
from ..errors import KnetError, StoreError
from ..files import write_atomically

if TYPE_CHECKING:
    from ..client.network import Network

P = ParamSpec("P")
R = TypeVar("R")

# Progress and errors go to stderr, so that --json leaves stdout to the result alone.
console = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
ProfileName = Annotated[
    str | None, typer.Option("--profile", "-p", help="Use this network's profile instead of the default one.")
]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Print a KnetError as one line on stderr, with a hint, and exit with status 1 (Ctrl-C: 130)."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KnetError as error:
            console.print(f"[bold red]error:[/] {shown(error.described)}", soft_wrap=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.print("stopped.")
            raise typer.Exit(130) from None

    return run


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    print(to_json(value), flush=True)


def print_result(value: Any, text: str, as_json: bool) -> None:
    """Print a command's result as JSON or as text."""
    if as_json:
        print_json(value)
    else:
        out.print(text)


def shown(text: str) -> str:
    """Return untrusted text for the terminal: without control characters, and without markup for Rich."""
    return escape(plain(text))


def connect(profile: str | None) -> Network:
    """Open the network of a profile. Raises ConfigError, ChainError."""
    from ..client.network import connect  # not at start, so that `knet --help` is quick

    return connect(profile)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that the user named. Raises StoreError."""
    try:
        write_atomically(path, data, 0o666)  # the user chose the file, and may share it
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error
