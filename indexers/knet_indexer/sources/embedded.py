"""Embedded data in texts, such as pictures in base64 and minified code: it fills passages without words."""

from __future__ import annotations

import re

from .notes import Note

MIN_RUN = 200  # characters without a space; the longest words have 60, addresses seldom more than 150
LONG_LINE = 2000  # characters
MIN_SPACES = 0.06  # share of a long line of text; minified code has less
MIN_BLOCK = 8  # lines of base64
_PICTURE = re.compile(r"!\[([^\[\]]{0,200})\]\(<?data:[^()\s<>]*+>?[^()]{0,100}\)")
_DEFINITION = re.compile(r"^\[[^\[\]\n]{1,100}\]:[^\S\n]*+<?data:[^\s<>]*+>?", re.MULTILINE)
_DATA = re.compile(r"data:[\w/+.;=\-]{1,100},[\w/+=%\-]{40,}+")
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_\-])[A-Za-z0-9+/=_\-]{200,}+")
_CODED = re.compile(r"[A-Za-z0-9+/]{50,200}={0,2}$")


def without_data(text: str) -> tuple[str, tuple[Note, ...]]:
    """Return the text without embedded data, and a note on it."""
    removed: list[int] = []

    def drop(match: re.Match[str]) -> str:
        if match.re is _RUN and not _is_mixed(match[0]) and not _is_hexadecimal(match[0]):
            return match[0]
        removed.append(len(match[0]))
        return match[1] if match.re is _PICTURE else ""

    for pattern in (_PICTURE, _DEFINITION, _DATA, _RUN):
        text = pattern.sub(drop, text)
    lines = text.split("\n")
    kept: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        stripped = line.strip()
        if _CODED.match(stripped) and _is_mixed(stripped):
            block.append(line)
            continue
        if len(block) >= MIN_BLOCK:
            removed.append(sum(map(len, block)))
        else:
            kept += block
        block = []
        if len(line) > LONG_LINE and _is_minified(line):
            removed.append(len(line))
        else:
            kept.append(line)
    if not removed:
        return text, ()
    size = sum(removed)
    return "\n".join(kept[:-1]), (Note(kind="embedded_data", count=len(removed), detail=f"{max(1, size >> 10)} KiB"),)


def _is_mixed(line: str) -> bool:
    """Tell if a line has small and capital letters and digits, as base64 has."""
    return any(map(str.islower, line)) and any(map(str.isupper, line)) and any(map(str.isdigit, line))


def _is_hexadecimal(run: str) -> bool:
    return any(map(str.isdigit, run)) and not run.strip("0123456789abcdefABCDEF")


def _is_minified(line: str) -> bool:
    """Tell if a long line is code: it is ASCII with few spaces."""
    return line.isascii() and line.count(" ") < MIN_SPACES * len(line)
