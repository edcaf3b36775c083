"""Cut canonical text into blocks and sentences, as exact spans.

Written for what owners have: prose, Markdown, docstrings, code. A block is what the layout sets apart (a heading, a
paragraph, a list item, table rows, a code fence); a sentence never crosses blocks. Rules instead of a model: megabytes
a second, the same spans on every machine, and no language assumed beyond its punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

MAX_CODE = 400  # code points: longer runs of code are cut into lines, shorter ones read better whole

Kind = Literal["heading", "prose", "code"]


class Span(NamedTuple):
    """Code points ``start`` to ``end`` (exclusive) of a text."""

    start: int
    end: int


class Block(NamedTuple):
    """What the layout sets apart; neither end touches white space."""

    start: int
    end: int
    kind: Kind


def sentences(text: str) -> list[Span]:
    """Every sentence, heading and run of code of a canonical text, in order and without surrounding white space.

    Together they hold everything but white space; none overlap.
    """
    return [span for block in blocks(text) for span in sentences_in(text, block)]


def sentences_in(text: str, block: Block) -> Iterator[Span]:
    """The sentences of one block; a long run of code by lines."""
    start = block.start
    if block.kind == "prose":
        for end in _ends(text, block):
            yield from trimmed(text, start, end)
            start = end
    elif block.kind == "code" and block.end - block.start > MAX_CODE:
        for line in _LINE.finditer(text, block.start, block.end):
            yield from trimmed(text, *line.span())
        return
    yield from trimmed(text, start, block.end)


def trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """The span without white space around it; none if nothing is left."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    if left < len(part):
        yield Span(start + left, start + len(part.rstrip()))


# --- layout ------------------------------------------------------------------------------------------------------

STRAY = 1  # spaces that a first line may be indented by more than its paragraph; some docstrings begin with one
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_FENCE = re.compile(r"`{3,}|~{3,}")
_HEADING = re.compile(r"#{1,6} ")
_UNDERLINE = re.compile(r"([=\-~^\"*+#])\1{2,}$")
_CODE = re.compile(r">>>|\.\.\. |\$ |\|")  # doctests, shell sessions, table rows
_ITEM = re.compile(r"(?:[-*+•‣]|\(?\d{1,3}[.)]|\(?[a-z]\)|:\w[^:\n]*:|@\w+|\[\d+\])\s")  # lists, :param x:, @param


def blocks(text: str) -> list[Block]:
    """The blocks of a canonical text, in order; they hold everything but white space."""
    found: list[Block] = []
    for start, end, kind, joins in _lines(text):
        if joins:
            start = found.pop().start
        found.append(Block(start, end, kind))
    return found


def _lines(text: str) -> Iterator[tuple[int, int, Kind, bool]]:
    """Start, end and kind of each line that is not blank, and whether it belongs to the block before."""
    lines = list(_LINE.finditer(text))
    fence = ""
    last: Kind | None = None  # kind of the block that may still grow
    indent = below = 0  # of that block; a list item's own lines may be indented further
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
    """Whether the next line underlines this one, as headings of reStructuredText and Markdown are."""
    if number + 1 == len(lines) or lines[number + 1].start() != lines[number].end() + 1:
        return False
    below = lines[number + 1].group().strip()
    return bool(_UNDERLINE.match(below)) and 2 * len(below) >= len(title)


# --- punctuation -------------------------------------------------------------------------------------------------

_END = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*(?=\s)|[。！？]+[」』”’）]*|[؟।]+(?=\s)")
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘«]+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")  # the J of J. K., the e.g of e.g.
_LONGEST_ABBREVIATION = 24  # code points looked back
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
        if mark in "。！？؟।" or not (after.islower() or (mark == "." and _abbreviates(text, found.start(), after))):
            yield found.end()


def _abbreviates(text: str, stop: int, after: str) -> bool:
    """Whether the full stop at ``stop`` belongs to an abbreviation; ``after`` is what follows it, if anything."""
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
