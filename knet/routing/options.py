"""Options of a query with their limits and defaults. Light to import, for processes that ask through another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ..errors import ConfigError
from ..records import NodeStatus, Record

PASSAGES = 8
MAX_K = 64  # passages; nodes give no more than 100
MAX_QUESTION = 4096  # characters; nodes refuse longer ones too
NODE_TIMEOUT = 2.0  # seconds; a slower node is reported as a time-out, and the answer does not wait for it

MaxNodes = int | Literal["auto", "all"]  # "auto": as many as are likely to matter
OnStatus = Callable[[NodeStatus], None]
OnSelected = Callable[[Sequence[NodeStatus]], None]


class Options(Record, frozen=True):
    """Options of one query. ``nodes`` restricts it to these node ids (empty: any).

    ``retrievers`` names the columns that count in the ranking (None: all of `knet.search.fusion.COLUMNS`).
    """

    k: int = PASSAGES
    max_nodes: MaxNodes = "auto"
    nodes: list[int] = []
    private: bool = False
    node_timeout: float = NODE_TIMEOUT  # seconds
    retrievers: tuple[str, ...] | None = None
    collapse: bool = True
    min_reliability: float = 0.0


def parse_max_nodes(text: str) -> MaxNodes:
    """Return "auto", "all" or the number that ``text`` holds. Raises ConfigError."""
    if text == "auto":
        return "auto"
    if text == "all":
        return "all"
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"max nodes {text!r}: not a valid number of nodes.", hint="Use auto, all, or 1 or more.")
    return int(text)


def check_question(question: str, options: Options) -> None:
    """Raise ConfigError for a question that every node refuses, and for options out of range."""
    if not question.strip():
        raise ConfigError("The question is empty.", hint="Write a question.")
    if len(question) > MAX_QUESTION:
        raise ConfigError(f"The question has {len(question)} characters; {MAX_QUESTION} is the limit.")
    if not 1 <= options.k <= MAX_K:
        raise ConfigError(f"k lies between 1 and {MAX_K}: {options.k}.")
    if options.max_nodes not in ("auto", "all") and not (type(options.max_nodes) is int and options.max_nodes >= 1):
        raise ConfigError(
            f"max_nodes {options.max_nodes!r}: not a valid number of nodes.", hint='Use "auto", "all", or 1 or more.'
        )
    if not options.node_timeout > 0:
        raise ConfigError(f"node_timeout is seconds above 0: {options.node_timeout}.")
    if not 0 <= options.min_reliability <= 1:
        raise ConfigError(f"Reliability lies between 0 and 1: {options.min_reliability}.")
