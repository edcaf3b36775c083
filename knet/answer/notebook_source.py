"""Questions in the source of a notebook's cell: literal arguments of ``ask``, and lines of the ``%knet`` magic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MAX_SOURCE = 100_000  # characters that are parsed; longer cells are not written by people
ASKING = ("ask", "aask")
COMMANDS = ("", "help", "nodes", "flush", "verify", "widget")  # of `%knet`, without a question
_MAGIC = re.compile(r"\s*+(?:[A-Za-z_][\w., ]*+=\s*+)?%knet(?:[ \t]++(?P<rest>.*+))?")
_CELL_MAGIC = re.compile(r"%%knet(?:[ \t][^\n]*+)?\n(?P<question>.*+)", re.DOTALL)
_COMMAND = re.compile(r"(?:rate|use)\s")
_ALONE = re.compile(r"--private|-[kp]\S++|--?[\w-]++=.*+")  # an option with its value, or without one


def asks(source: str, question: str) -> bool | None:
    """Return True if the cell asks this question, or asks none; False if it asks others; None if this is unclear."""
    found = list(_questions(source))
    if not found or any(text is not None and text.split() == question.split() for text in found):
        return True
    return None if None in found else False


def _questions(source: str) -> Iterator[str | None]:
    """Yield the questions that a cell asks, None for each that is not a literal."""
    if match := _CELL_MAGIC.fullmatch(source):
        yield unquoted(match["question"].strip())
        return
    lines = source[:MAX_SOURCE].split("\n")
    for number, line in enumerate(lines):
        if match := _MAGIC.fullmatch(line):
            lines[number] = ""
            text = _without_options((match["rest"] or "").split())
            if text not in COMMANDS and not _COMMAND.match(text):
                yield unquoted(text)
        elif line.lstrip().startswith(("%", "!")):
            lines[number] = ""
    code = "\n".join(lines)
    if len(source) > MAX_SOURCE:
        yield None
        return
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        if any(name in code for name in ASKING):
            yield None
        return
    yield from (_argument(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_asking(node))


def _is_asking(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name in ASKING


def _argument(call: ast.Call) -> str | None:
    given = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "question")]
    if len(given) == 1 and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
        return given[0].value
    return None


def _without_options(words: list[str]) -> str:
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 1 if _ALONE.fullmatch(words[at]) else 2
    return " ".join(words[at:])


def unquoted(text: str) -> str:
    """Return a question without the quotes around it."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
