"""Reading order of a page: columns, lines and rows of tables from runs of characters.

A region is split at a gutter, a strip that few runs cross: those become bands of their own. Rows of short cells that
stand level on both sides belong to a table, and stay together. The order of the file is kept where it takes the regions
one after the other, since most programs write as one reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .runs import SAME_LINE, SPACE, Run

MAX_DEPTH = 8  # splits within each other
MIN_GUTTER = 0.9  # in sizes of the font
MIN_SHARE = 0.02  # of the text of a region on each side of a gutter
MAX_CROSSED = 0.35  # of the text of a region that may cross a gutter
COLUMN = 8.0  # in sizes of the font: the mean width of the lines of a column of text
COLUMN_WORDS = 3.3  # mean of the lines of a column of text; a wide line counts as such too
WIDE = 14.0  # in sizes of the font, for scripts without spaces
MAX_GUTTERS = 6  # that are tried
MAX_RUNS = 5000  # of a page that is split; a page of a newspaper has 1,000
COLUMNS, CELLS, ROWS = "columns", "cells", "rows"
MIN_SWITCHES = 1.2  # for each line on one side: fewer where the file holds several lines of a side together
LEVEL = 0.75  # share of the lines on one side of a gutter that stand level with one on the other, in a table


class Line(NamedTuple):
    """The runs of one line from left to right."""

    runs: list[Run]
    left: float
    right: float
    top: float
    bottom: float

    @property
    def size(self) -> float:
        return max(self.runs, key=lambda run: len(run.text)).size

    @property
    def order(self) -> int:
        return min(run.order for run in self.runs)

    @property
    def text(self) -> str:
        """The text of the line, with a space where the runs are apart."""
        parts: list[str] = []
        last: Run | None = None
        for run in self.runs:
            if last is not None and (run.left - last.right > SPACE * run.size or run.left < last.left):
                parts.append(" ")
            parts.append(run.text)
            last = run
        return "".join(parts).replace("  ", " ").strip()

    @property
    def is_bold(self) -> bool:
        return all(run.bold for run in self.runs)

    @property
    def is_fixed(self) -> bool:
        return all(run.fixed for run in self.runs)


def regions(runs: Sequence[Run]) -> list[list[Line]]:
    """Return the lines of each region of a page, in reading order."""
    found = [lines_of(part) for part in _split(list(runs), 0) if part]
    spans = sorted((min(line.order for line in part), max(_last(line) for line in part)) for part in found)
    if all(after[0] >= before[1] for before, after in pairwise(spans)):
        found.sort(key=lambda part: min(line.order for line in part))
    return found


def in_rows(runs: Sequence[Run]) -> list[Run]:
    """Return runs with the order of their lines instead of that of the file."""
    rows = [run for line in lines_of(runs) for run in line.runs]
    return [run._replace(order=number) for number, run in enumerate(rows)]


def lines_of(runs: Sequence[Run]) -> list[Line]:
    """Return the lines of a region without columns, from top to bottom."""
    rows: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: run.middle):
        for row in reversed(rows[-3:]):
            if _is_level(run, max(row, key=lambda other: other.bottom - other.top)):
                row.append(run)
                break
        else:
            rows.append([run])
    return [_line(row) for row in rows]


def _line(row: list[Run]) -> Line:
    leftward = sum(len(run.text) for run in row if _is_leftward(run.text)) * 2 > sum(len(run.text) for run in row)
    row.sort(key=lambda run: -run.right if leftward else run.left)
    return Line(
        row,
        min(run.left for run in row),
        max(run.right for run in row),
        min(run.top for run in row),
        max(run.bottom for run in row),
    )


def _is_leftward(text: str) -> bool:
    return sum("\u0590" <= character <= "\u08ff" for character in text) * 2 > len(text)


def _is_level(run: Run, other: Run) -> bool:
    shared = min(run.bottom, other.bottom) - max(run.top, other.top)
    return shared > SAME_LINE * min(run.bottom - run.top, other.bottom - other.top)


def _last(line: Line) -> int:
    return max(run.order for run in line.runs)


# --- gutters -----------------------------------------------------------------------------------------------------


def _split(runs: list[Run], depth: int) -> list[list[Run]]:
    if depth < MAX_DEPTH and 2 < len(runs) <= MAX_RUNS:
        for gutter in _gutters(runs):
            if parts := _split_at(runs, gutter, depth):
                return parts
    return [runs]


def _split_at(runs: list[Run], gutter: tuple[float, float], depth: int) -> list[list[Run]]:
    """Return the parts that a gutter makes, or none where both sides are rows of a table or parts of the same lines."""
    parts: list[list[Run]] = []
    whole: list[Run] = []  # bands without columns, one below the other
    for band in _bands(runs, gutter):
        left = [run for run in band if run.right <= gutter[0] + 0.1]
        right = [run for run in band if run.left >= gutter[1] - 0.1]
        sides = _sides(left, right) if len(left) + len(right) == len(band) else ROWS
        if sides == ROWS:
            whole += band
            continue
        parts += _split(whole, depth + 1) if whole else []
        whole = []
        if sides == COLUMNS:
            parts += [*_split(left, depth + 1), *_split(right, depth + 1)]
        else:
            parts += _in_turns(left, right)
    return [*parts, *(_split(whole, depth + 1) if whole else [])] if parts else []


def _gutters(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Return the left and right ends of strips that few runs cross, with text on either side, the best first."""
    total = sum(len(run.text) for run in runs)
    size = sorted(run.size for run in runs)[len(runs) // 2]
    begun: Counter[float] = Counter()
    ended: Counter[float] = Counter()
    for run in runs:
        begun[round(run.left, 1)] += len(run.text)
        ended[round(run.right, 1)] += len(run.text)
    found: list[tuple[float, tuple[float, float]]] = []
    before = crossing = 0
    for edge, end in pairwise(sorted(begun.keys() | ended.keys())):
        before += ended[edge]
        crossing += begun[edge] - ended[edge]
        least = min(before, total - before - crossing)
        if end - edge >= MIN_GUTTER * size and crossing <= MAX_CROSSED * total and least >= MIN_SHARE * total:
            score = (end - edge) / size - 20 * crossing / total + 10 * least / total
            found.append((score, (edge, end)))
    return [gutter for _, gutter in sorted(found, reverse=True)[:MAX_GUTTERS]]


def _bands(runs: Sequence[Run], gutter: tuple[float, float]) -> list[list[Run]]:
    """Return bands from top to bottom: runs beside the gutter, and runs that cross it with what stands level."""
    crossing = [run for run in runs if run.left < gutter[0] and run.right > gutter[1]]
    beside = [run for run in runs if not (run.left < gutter[0] and run.right > gutter[1])]
    bands: list[tuple[float, list[Run]]] = []
    for line in lines_of(crossing):
        level = [run for run in beside if any(_is_level(run, other) for other in line.runs)]
        beside = [run for run in beside if run not in level]
        bands.append((line.top, [*line.runs, *level]))
    tops = sorted(top for top, _ in bands)
    between: dict[int, list[Run]] = {}
    for run in beside:
        between.setdefault(sum(top < run.middle for top in tops), []).append(run)
    bands += [(min(run.top for run in part), part) for part in between.values()]
    return [part for _, part in sorted(bands, key=lambda band: band[0])]


def _sides(left: list[Run], right: list[Run]) -> str:
    """Return `COLUMNS` of text, `CELLS` of several lines that the file holds in turns, or `ROWS` of one line each."""
    if not left or not right:
        return ROWS
    lines, others = lines_of(left), lines_of(right)
    few = min(len(lines), len(others))
    if few < 2 and (few == 0 or len(lines) + len(others) < 4):
        return ROWS
    sides = sorted([(run.order, 0) for run in left] + [(run.order, 1) for run in right])
    switches = sum(a[1] != b[1] for a, b in pairwise(sides))
    wide = _is_prose(lines) and _is_prose(others)
    if switches <= 2 and few >= 2 and len(left) + len(right) > 4:
        return COLUMNS
    shorter, longer = (lines, others) if len(lines) <= len(others) else (others, lines)
    level = sum(any(_is_level(line.runs[0], other.runs[0]) for other in longer) for line in shorter)
    if level < LEVEL * few:
        return COLUMNS if wide else CELLS
    if switches < MIN_SWITCHES * few or few < LEVEL * len(longer):
        return CELLS
    return COLUMNS if wide else ROWS


def _in_turns(left: list[Run], right: list[Run]) -> list[list[Run]]:
    """Return the runs of two sides in the order of the file, cut where it changes sides.

    A single line stays with the text that begins beside it: a number, a mark of a list, a term.
    """
    parts: list[list[Run]] = []
    last = None
    for run, side in sorted([(run, 0) for run in left] + [(run, 1) for run in right], key=lambda pair: pair[0].order):
        if side != last:
            beside = bool(parts) and all(_is_level(run, other) for other in parts[-1])
            if not beside:
                parts.append([])
        parts[-1].append(run)
        last = side
    return parts


def _is_prose(lines: Sequence[Line]) -> bool:
    """Tell if the lines of one side are as long as those of a column of text."""
    width = sum((line.right - line.left) / line.size for line in lines) / len(lines)
    words = sum(line.text.count(" ") + 1 for line in lines) / len(lines)
    return width >= WIDE or (width >= COLUMN and words >= COLUMN_WORDS)
