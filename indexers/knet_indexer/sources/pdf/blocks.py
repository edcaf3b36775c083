"""Blocks of a region of a page: paragraphs, tables and code, from its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from .layout import Line
from .runs import Run

MIN_ROWS = 3
MIN_FILLED = 0.7  # share of the rows of a table with two cells or more
CELL_GAP = 1.0  # in sizes of the font
LABEL = 3.5  # in sizes of the font: a narrower first column holds the numbers or marks of a list
PARAGRAPH_GAP = 0.45  # in sizes of the font, beyond the usual distance of lines
MAX_LEADING = 1.8  # in sizes of the font: lines of a paragraph are not further apart
INDENT = 0.8  # in sizes of the font
SHORT = 0.82  # of the width of a region: a line that ends before is the last of its paragraph

_ITEM = re.compile(r"(?:[•‣▪◦●■–—*-]|\(?\d{1,3}[.)]|\(?[a-z]\)|\[\d{1,3}\])\s")
_END = re.compile(r"[.!?:;。！？][\"'”’)\]]{0,3}$")
_LEADERS = re.compile(r"(?:[ \u00a0]?[.·…_]){4,}+")

Kind = Literal["prose", "table", "code"]


class PdfBlock(NamedTuple):
    """Some lines of a page that belong together, and their text, with U+00AD for a hyphen at the end of a line."""

    kind: Kind
    lines: list[Line]
    text: str

    @property
    def size(self) -> float:
        return max(self.lines, key=lambda line: len(line.text)).size


def blocks_of(lines: Sequence[Line]) -> Iterator[PdfBlock]:
    """Yield the blocks of a region in order."""
    start = 0
    for first, rows in _tables(lines):
        yield from _text_blocks(lines[start:first])
        start = first + len(rows)
        yield PdfBlock("table", list(lines[first:start]), _markdown(lines[first:start]))
    yield from _text_blocks(lines[start:])


# --- tables ------------------------------------------------------------------------------------------------------


def _cells(line: Line) -> list[list[Run]]:
    cells: list[list[Run]] = []
    for run in sorted(line.runs, key=lambda run: run.left):
        if cells and run.left - max(other.right for other in cells[-1]) < CELL_GAP * run.size:
            cells[-1].append(run)
        else:
            cells.append([run])
    return cells


def _tables(lines: Sequence[Line]) -> Iterator[tuple[int, Sequence[Line]]]:
    """Yield the index of the first line of each table, and its lines."""
    first = 0
    while first < len(lines):
        stop = _table_end(lines, first)
        if stop - first >= MIN_ROWS and _is_table(lines[first:stop]):
            yield first, lines[first:stop]
            first = stop
        else:
            first += 1


def _table_end(lines: Sequence[Line], first: int) -> int:
    """Return the end of the lines from ``first`` on that leave the same gutters free, two cells or more in most."""
    if len(_cells(lines[first])) < 2:
        return first
    stop = first + 1
    while stop < len(lines):
        line, above = lines[stop], lines[stop - 1]
        if line.top - above.bottom > 2.5 * line.size or line.is_fixed:
            break
        columns = _columns(lines[first : stop + 1])
        if len(columns) < 2 or len(columns) < len(_columns(lines[first:stop])) - 1:
            break
        if len(_cells(line)) < 2 and (line.right - line.left > 0.6 * (columns[-1][1] - columns[0][0])):
            break
        stop += 1
    while stop > first and len(_cells(lines[stop - 1])) < 2 and lines[stop - 1].left < lines[first].left + 1:
        stop -= 1  # a line of text below
    return stop


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return the left and right end of each column that the gutters shared by some lines make."""
    size = lines[0].size
    columns: list[tuple[float, float]] = []
    for run in sorted((run for line in lines for run in line.runs), key=lambda run: run.left):
        if columns and run.left - columns[-1][1] < CELL_GAP * size:
            columns[-1] = (columns[-1][0], max(columns[-1][1], run.right))
        else:
            columns.append((run.left, run.right))
    return columns


def _is_table(lines: Sequence[Line]) -> bool:
    columns = _columns(lines)
    rows = [_row(line, columns) for line in lines]
    size, (left, right) = lines[0].size, columns[0]
    if right - left < LABEL * size and all(_is_label(line) for line, row in zip(lines, rows, strict=True) if 0 in row):
        rows = [{number: runs for number, runs in row.items() if number} for row in rows]  # a list, or lines of code
    filled = sum(len(row) >= 2 for row in rows)
    return filled >= MIN_ROWS and filled >= MIN_FILLED * len(lines)


def _is_label(line: Line) -> bool:
    first = line.runs[0].text
    return len(first) <= 6 and not first.isalpha()


def _row(line: Line, columns: Sequence[tuple[float, float]]) -> dict[int, list[Run]]:
    row: dict[int, list[Run]] = {}
    for run in line.runs:
        number = next(n for n, (left, right) in enumerate(columns) if left - 0.1 <= run.left <= right + 0.1)
        row.setdefault(number, []).append(run)
    return row


def _markdown(lines: Sequence[Line]) -> str:
    columns = _columns(lines)
    rows: list[list[str]] = []
    for line in lines:
        cells = [""] * len(columns)
        for number, runs in _row(line, columns).items():
            cells[number] = Line(runs, 0, 0, 0, 0).text.replace("|", "\\|").replace("\u00ad", "-")
        if rows and sum(map(bool, cells)) == 1 and line.top - lines[0].top > 0 and not cells[0]:
            at = next(number for number, cell in enumerate(cells) if cell)
            rows[-1][at] = f"{rows[-1][at]} {cells[at]}".strip()  # a cell of two lines
        else:
            rows.append(cells)
    rows.insert(1, ["---"] * len(columns))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


# --- paragraphs and code -----------------------------------------------------------------------------------------


def _text_blocks(lines: Sequence[Line]) -> Iterator[PdfBlock]:
    if not lines:
        return
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    distances = sorted(b.top - a.top for a, b in pairwise(lines))
    usual = min(distances[len(distances) // 3], MAX_LEADING * lines[0].size) if distances else 0.0
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or _begins(lines, number, left, right, usual):
            yield _text_block(lines[start:number])
            start = number


def _begins(lines: Sequence[Line], number: int, left: float, right: float, usual: float) -> bool:
    """Tell if a line begins a block."""
    above, line = lines[number - 1], lines[number]
    size = line.size
    if above.is_fixed or line.is_fixed:
        return above.is_fixed != line.is_fixed or line.top - above.top > usual + 2 * size
    if line.top - above.top > max(usual, 1.0 * size) + PARAGRAPH_GAP * size or line.top < above.top - size:
        return True
    if abs(above.size - size) > 0.12 * size or above.is_bold != line.is_bold or _ITEM.match(line.text):
        return True
    if above.right < left + SHORT * (right - left) and _END.search(above.text):
        return True
    indented = line.left - left > INDENT * size and line.left - above.left > INDENT * size
    return indented and not _ITEM.match(above.text) and (number < 2 or abs(lines[number - 2].left - line.left) > size)


def _text_block(lines: Sequence[Line]) -> PdfBlock:
    if all(line.is_fixed for line in lines) and (len(lines) > 1 or " " in lines[0].text):
        return PdfBlock("code", list(lines), _code(lines))
    text = ""
    for line in lines:
        part = _LEADERS.sub(" ", line.text)
        if text.endswith("\u00ad"):
            text += part
        elif text.endswith("-") and text[-2:-1].isalpha() and part[:1].islower():
            text = f"{text[:-1]}\u00ad{part}"
        else:
            text += (" " if text and not _is_wide(text[-1], part[:1]) else "") + part
    return PdfBlock("prose", list(lines), text.strip())


def _is_wide(before: str, after: str) -> bool:
    """Tell if two characters are of a script without spaces."""
    return all("\u2e80" <= character <= "\ua4cf" or "\uf900" <= character <= "\uffef" for character in (before, after))


def _code(lines: Sequence[Line]) -> str:
    """Return lines of code with the spaces that their places give."""
    widths = [(run.right - run.left) / len(run.text) for line in lines for run in line.runs]
    width = sorted(widths)[len(widths) // 2] or 1.0
    left = min(line.left for line in lines)
    texts = []
    for line in lines:
        text = ""
        for run in line.runs:
            column = min(round((run.left - left) / width), 200)
            text = text.ljust(column) if column > len(text) else text + " " * bool(text)
            text += run.text.replace("\u00ad", "-")
        texts.append(text.rstrip())
    return "\n".join(texts)
