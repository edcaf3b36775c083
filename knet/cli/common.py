"""Shared parts of all commands: options, errors in one line, JSON output, the network."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from ..answer.render import plain
from ..codec import to_json
from ..errors import KnetError, StoreError
from ..files import write_atomically

if TYPE_CHECKING:
    from ..client.network import Network

# In JSON, C0 controls are escaped already. These are DEL, C1 controls, and characters that turn or hide text.
_INVISIBLE = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")

P = ParamSpec("P")
R = TypeVar("R")


class _PlainConsole(Console):
    """Console that prints no control or formatting characters of a text, so that no foreign text moves the cursor."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Render one text of a line or table. Titles, names, errors and passages of others come through here."""
        return super().render_str("\n".join(plain(line) for line in text.split("\n")), **options)


# Progress and errors go to stderr, so that --json leaves stdout to the result alone.
console = _PlainConsole(stderr=True, highlight=False, soft_wrap=True)
out = _PlainConsole(highlight=False, soft_wrap=True)

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
    print_json_text(to_json(value))


def print_json_text(text: str, end: str = "\n") -> None:
    """Print JSON on stdout, with control and formatting characters as escapes, which terminals do not act on."""
    if not text.isascii():
        text = _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    print(text, end=end, flush=True)


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
