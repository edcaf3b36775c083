"""Arguments of ``%knet``: a command, or options and a question."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from knet.answer.notebook_source import unquoted
from knet.errors import ConfigError
from knet.records import Record
from knet.routing.options import PASSAGES, MaxNodes, parse_max_nodes

COMMANDS = {
    "nodes": "list the network's nodes with their reliability",
    "rate": "rate +1|-1|up|down [PASSAGE]: rate the last answer, or one of its passages",
    "flush": "put queued ratings on chain",
    "verify": "check every claim of the last answer again",
    "use": "use PROFILE: ask this network in later cells",
    "widget": "show a form to ask with",
    "help": "show this text",
}
RATINGS = {"up": 1.0, "down": -1.0}
_RATE = re.compile(
    r"rate\s++(?P<value>up|down|[+-]?\d{1,9}(?:\.\d{1,9})?)(?:\s++(?:(?:--passage|-p)\s++)?(?P<passage>\d{1,9}))?"
)
_USE = re.compile(r"use\s++(?P<profile>\S++)")


class Command(Record, frozen=True):
    """A command of `COMMANDS` with its arguments."""

    name: str
    value: float = 0.0
    passage: int | None = None
    profile: str = ""


class Question(Record, frozen=True):
    """A question with its options; ``into`` names the variable that receives the answer."""

    text: str
    k: int
    max_nodes: MaxNodes
    node: list[int]
    private: bool
    profile: str | None
    into: str | None

    @property
    def asking(self) -> dict[str, Any]:
        """The options of `Network.ask`."""
        return {"k": self.k, "max_nodes": self.max_nodes, "nodes": self.node, "private": self.private}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"%knet: {message}.", hint="`%knet help` lists commands and options.")


def _variable(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid name of a variable")
    return text


def _max_nodes(text: str) -> MaxNodes:
    try:
        return parse_max_nodes(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> _Parser:
    parser = _Parser(prog="%knet", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "-k", "--passages", dest="k", type=int, default=PASSAGES, metavar="N", help="passages to return"
    )
    parser.add_argument(
        "--max-nodes",
        type=_max_nodes,
        default="auto",
        metavar="auto|all|N",
        help="nodes to ask at most; auto: as many as are likely to matter",
    )
    parser.add_argument(
        "--node", type=int, action="append", default=[], metavar="ID", help="ask only this node (repeatable)"
    )
    parser.add_argument(
        "--private", action="store_true", help="fetch published shards and search here: no node learns the question"
    )
    parser.add_argument("-p", "--profile", metavar="NAME", help="the network to ask")
    parser.add_argument("--into", type=_variable, metavar="VARIABLE", help="assign the answer to this variable")
    parser.add_argument("text", nargs=argparse.REMAINDER, metavar="question")
    return parser


PARSER = _parser()
OPTIONS = [name for action in PARSER._actions for name in action.option_strings]


def parse(line: str, cell: str | None) -> Command | Question:
    """Parse a line; with a cell, the line has the options and the cell the question. Raises ConfigError.

    A question may begin like a command: a line is a command only if the rest matches the command's arguments.
    """
    if cell is None and (command := _command(line.strip())):
        return command
    parsed = PARSER.parse_args(line.split())
    words = " ".join(parsed.text)
    if cell is not None and words:
        raise ConfigError(f"%%knet: {words!r} is not an option.", hint="Write the question in the lines below.")
    text = words if cell is None else cell.strip()
    return Question(**{**vars(parsed), "text": unquoted(text)})


def _command(line: str) -> Command | None:
    if line in ("", "help", "-h", "--help", "?"):
        return Command(name="help")
    if line in ("nodes", "flush", "verify", "widget"):
        return Command(name=line)
    if match := _USE.fullmatch(line):
        return Command(name="use", profile=match["profile"])
    if match := _RATE.fullmatch(line):
        value = RATINGS[match["value"]] if match["value"] in RATINGS else float(match["value"])
        return Command(name="rate", value=value, passage=int(match["passage"]) if match["passage"] else None)
    if line.split() == ["rate"]:
        raise ConfigError(
            "%knet rate needs a rating.", hint="Write `%knet rate +1`, or `%knet rate -1 2` for passage 2."
        )
    return None


def usage() -> str:
    """Return the commands and options for `%knet help`."""
    commands = "\n".join(f"  %knet {name:8} {text}" for name, text in COMMANDS.items())
    return f"{PARSER.format_help()}\ncommands:\n{commands}\n\nIn a cell: %%knet [options], and the question below."
