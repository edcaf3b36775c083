"""What every knet command shares: errors in one line, JSON where asked, one console for people."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from ..answer.render import plain
from ..codec import to_json
from ..errors import KnetError

P = ParamSpec("P")
R = TypeVar("R")

# Progress and errors go to stderr, so that --json leaves stdout to the result alone.
console = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
ProfileName = Annotated[
    str | None, typer.Option("--profile", "-p", help="Which network; the default profile if not given.")
]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Turn a KnetError into one line on stderr and exit status 1 (Ctrl-C: 130)."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KnetError as error:
            console.print(f"[bold red]error:[/] {shown(str(error))}", soft_wrap=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.print("stopped.")
            raise typer.Exit(130) from None

    return run


def print_json(value: Any) -> None:
    """One JSON value on stdout, by the project's codec."""
    print(to_json(value), flush=True)


def shown(text: str) -> str:
    """Text of another machine for the terminal: without control characters, and no markup to Rich."""
    return escape(plain(text))
