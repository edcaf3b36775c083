"""Rule-based segmentation of canonical text into blocks and sentences, as exact spans.

Its input is prose, Markdown, docstrings and code, often from strangers: every pattern takes linear time on any text.
A block is a layout unit: a heading, a paragraph, a list item, table rows, a code fence. A sentence never crosses
blocks. Rules instead of a model process megabytes per second, give the same spans on every machine, and depend on no
language beyond its punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

MAX_CODE = 400  # code points: longer runs of code are split into lines

Kind = Literal["heading", "prose", "code"]


class Span(NamedTuple):
    """Code points ``start`` to ``end`` (exclusive) of a text."""

    start: int
    end: int


class Block(NamedTuple):
    """Layout unit of a text, without white space at either end."""

    start: int
    end: int
    kind: Kind


def sentences(text: str) -> list[Span]:
    """Return every sentence, heading and run of code of a canonical text, in order, without surrounding white space.

    The spans cover everything but white space and do not overlap.
    """
    return [span for block in blocks(text) for span in sentences_in(text, block)]


def sentences_in(text: str, block: Block) -> Iterator[Span]:
    """Yield the sentences of one block; for a long run of code, its lines."""
    start = block.start
    if block.kind == "prose":
        for end in _ends(text, block):
            yield from trimmed(text, start, end)
            start = end
    elif block.kind == "code" and block.end - block.start > MAX_CODE:
        for line in _lines_of(text, block.start, block.end):
            yield from trimmed(text, *line.span())
        return
    yield from trimmed(text, start, block.end)


def trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the span without white space around it, unless it is empty then."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    if left < len(part):
        yield Span(start + left, start + len(part.rstrip()))


# --- layout ------------------------------------------------------------------------------------------------------

STRAY = 1  # extra spaces that a paragraph's first line may have; some docstrings begin with one
_LINE = re.compile(r"[^\n]++")
_FENCE = re.compile(r"`{3,}|~{3,}")
_HEADING = re.compile(r"#{1,6} ")
_UNDERLINE = re.compile(r"([=\-~^\"*+#])\1{2,}+$")
_CODE = re.compile(r">>>|\.\.\. |\$ |\|")  # doctests, shell sessions, table rows
_ITEM = re.compile(r"(?:[-*+•‣]|\(?\d{1,3}[.)]|\(?[a-z]\)|:\w[^:\n]*+:|@\w++|\[\d++\])\s")  # lists, :param x:, @param


def blocks(text: str) -> list[Block]:
    """Return the blocks of a canonical text, in order; they cover everything but white space."""
    found: list[Block] = []
    for start, end, kind, joins in _lines(text):
        if joins:
            start = found.pop().start
        found.append(Block(start, end, kind))
    return found


def _lines_of(text: str, start: int, end: int) -> list[re.Match[str]]:
    """Return the lines of a part of a text that are not blank, without their ends."""
    return [line for line in _LINE.finditer(text, start, end) if not line.group().isspace()]


def _lines(text: str) -> Iterator[tuple[int, int, Kind, bool]]:
    """Yield start, end and kind of each line that is not blank, and True if it continues the block before."""
    lines = _lines_of(text, 0, len(text))
    fence = ""
    last: Kind | None = None  # kind of the block that the next line may continue
    indent = below = 0  # its indentation range; later lines of a list item may be indented further
    previous = -1
    for number, line in enumerate(lines):
        content = line.group().rstrip()
        stripped = content.lstrip()
        depth = len(content) - len(stripped)
        start, end = line.start() + depth, line.start() + len(content)
        adjacent = line.start() == previous + 1
        previous = line.end()
        if fence:
            closing = stripped.startswith(fence)
            fence, last = ("", None) if closing else (fence, last)
            yield start, end, "code", True
        elif opening := _FENCE.match(stripped):
            fence, last = opening.group(), None
            yield start, end, "code", False
        elif last == "heading" and adjacent and _UNDERLINE.match(stripped):
            last = None
            yield start, end, "heading", True
        elif _HEADING.match(stripped):
            last = None
            yield start, end, "heading", False
        elif not (adjacent and last) and _underlined(lines, number, stripped):
            last = "heading"
            yield start, end, "heading", False
        elif _CODE.match(stripped):
            joins = adjacent and last == "code"
            last = "code"
            yield start, end, "code", joins
        else:
            item = bool(_ITEM.match(stripped))
            joins = adjacent and last == "prose" and not item and indent - STRAY <= depth <= below
            if not joins:
                last, indent, below = "prose", depth, len(text) if item else depth
            yield start, end, "prose", joins


def _underlined(lines: list[re.Match[str]], number: int, title: str) -> bool:
    """Tell if the next line underlines this one, as in headings of reStructuredText and Markdown."""
    if number + 1 == len(lines) or lines[number + 1].start() != lines[number].end() + 1:
        return False
    below = lines[number + 1].group().strip()
    return bool(_UNDERLINE.match(below)) and 2 * len(below) >= len(title)


# --- punctuation -------------------------------------------------------------------------------------------------

_END = re.compile(  # each run of marks is tried once, at its beginning
    r"(?<![.!?…])[.!?…]++[\"'”’»)\]*_`]*+(?=\s)|[。！？]++[」』”’）]*+|(?<![؟।])[؟।]++(?=\s)"
)
_WORD_BEFORE = re.compile(r"(?:^|(?<=[\s(\[\"'“‘«]))[^\s(\[\"'“‘«]++$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.){0,12}[^\W\d_]")  # the J of J. K., the e.g of e.g.
_LONGEST_ABBREVIATION = 24  # code points before the full stop to search
_OPENING = " \n\"'“‘«([*_`"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("mr mrs ms dr prof st rev gen col capt lt sgt gov sen rep hon messrs mme mlle")
_NUMBERED = _words(
    "no nos vol vols p pp fig figs eq eqs sec sect ch chap art tab app ref refs ver nr abb bd "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
_INNER = _words("vs cf ca approx resp incl excl viz ibid bzw evtl ggf vgl")
_EITHER = _words("etc usw al inc ltd co corp jr sr bros dept univ")


def _ends(text: str, block: Block) -> Iterator[int]:
    for found in _END.finditer(text, block.start, block.end):
        after = text[found.end() : found.end() + 8].lstrip(_OPENING)[:1]
        mark = text[found.start()]
        goes_on = after.islower() or (mark == "." and _is_abbreviation(text, found.start(), after))
        if mark in "。！？؟।" or not goes_on:
            yield found.end()


def _is_abbreviation(text: str, stop: int, after: str) -> bool:
    """Tell if the full stop at ``stop`` ends an abbreviation; ``after`` is the next character, or empty."""
    before = _WORD_BEFORE.search(text[max(0, stop - _LONGEST_ABBREVIATION) : stop])
    if before is None:
        return False
    word = before.group()
    folded = word.casefold()
    return (
        folded in _INNER
        or (folded in _EITHER and not after.isupper())
        or (folded in _NUMBERED and after.isdigit())
        or (folded in _TITLES and word[0].isupper())
        or _INITIALS.fullmatch(word) is not None
    )
