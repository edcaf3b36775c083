"""Charts of reliability and usefulness over time: an HTML page for a browser, a sparkline for a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from .history import History, Point

WIDTH, HEIGHT, MARGIN = 640, 150, 28  # pixels
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_POINTS = 30  # of a sparkline; the newest ones

STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; max-width: 720px; margin: 2em auto; padding: 0 1em; }
h2 { font-size: 1.1em; margin: 2em 0 .2em; } svg { width: 100%; height: auto; }
.band { fill: #4c78a8; opacity: .18; } .line { fill: none; stroke: #4c78a8; stroke-width: 2; }
.used .band { fill: #f58518; } .used .line { stroke: #f58518; stroke-dasharray: 4 3; }
.axis { stroke: #888; stroke-width: .5; } text { font-size: 10px; fill: #666; } circle { fill: #4c78a8; }
table { border-collapse: collapse; font-size: .9em; } td, th { padding: .1em .8em .1em 0; text-align: left; }
code { font-size: .85em; overflow-wrap: anywhere; } :target { background: #fff3cd; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } :target { background: #554400; } }
"""


def sparkline(points: Sequence[Point]) -> str:
    """Return the means (0 to 1) of the newest points as one character each."""
    return "".join(SPARKS[min(int(point.mean * len(SPARKS)), len(SPARKS) - 1)] for point in points[-SPARK_POINTS:])


def page(network: str, histories: Sequence[History], now: float | None = None) -> str:
    """Return one self-contained HTML page without scripts or remote resources; node titles are escaped.

    Every point of the reliability curve links to the row of its batch: rater, number and transaction.
    """
    sections = "".join(_section(history, time.time() if now is None else now) for history in histories)
    title = f"Reliability on {escape(network)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>Solid: reliability on chain, with one standard deviation; every point is a batch of "
        "ratings. Dashed: usefulness, the share of the node's passages that were used in your answers.</p>"
        f"{sections or '<p>There are no nodes yet.</p>'}</html>\n"
    )


def _section(history: History, now: float) -> str:
    points = [*history.reliability, *history.usefulness]
    start = min((point.time for point in points), default=int(now) - 1)
    span = max(now - start, 1.0)
    rows = "".join(_row(history.node, point) for point in reversed(history.reliability))
    table = (
        f"<details><summary>{len(history.reliability)} batches on chain</summary><table><tr><th>time (UTC)</th>"
        f"<th>for</th><th>against</th><th>ratings</th><th>batch</th><th>transaction</th></tr>{rows}</table></details>"
        if rows
        else "<p>No ratings yet.</p>"
    )
    return (
        f"<h2>Node {history.node}: {escape(history.title)}</h2>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="reliability over time">{_axes(start, now)}'
        f'<g class="used">{_curve(history.usefulness, start, span)}</g>{_curve(history.reliability, start, span)}'
        f"{''.join(_dot(history.node, point, start, span) for point in history.reliability)}</svg>{table}"
    )


def _axes(start: float, now: float) -> str:
    lines = "".join(
        f'<line class="axis" x1="{MARGIN}" x2="{WIDTH}" y1="{_y(value):.1f}" y2="{_y(value):.1f}"/>'
        f'<text x="0" y="{_y(value) + 3:.1f}">{value:g}</text>'
        for value in (0.0, 0.5, 1.0)
    )
    return (
        f'{lines}<text x="{MARGIN}" y="{HEIGHT - 2}">{_when(start)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 2}" text-anchor="end">{_when(now)}</text>'
    )


def _curve(points: Sequence[Point], start: float, span: float) -> str:
    """Return the means as steps that last until now, within a band of one standard deviation."""
    if not points:
        return ""
    ends = [*(point.time for point in points[1:]), start + span]
    steps = [(x, point) for point, end in zip(points, ends, strict=True) for x in (point.time, end)]
    xs = [_x(at, start, span) for at, _ in steps]
    line = " ".join(f"{x:.1f},{_y(point.mean):.1f}" for x, (_, point) in zip(xs, steps, strict=True))
    upper = [f"{x:.1f},{_y(point.mean + point.deviation):.1f}" for x, (_, point) in zip(xs, steps, strict=True)]
    lower = [f"{x:.1f},{_y(point.mean - point.deviation):.1f}" for x, (_, point) in zip(xs, steps, strict=True)]
    band = " ".join([*upper, *reversed(lower)])
    return f'<polygon class="band" points="{band}"/><polyline class="line" points="{line}"/>'


def _dot(node: int, point: Point, start: float, span: float) -> str:
    label = f"{_when(point.time)}: {point.mean:.2f} ± {point.deviation:.2f}, batch {point.number} of {point.rater}"
    return (
        f'<a href="#{_anchor(node, point)}"><circle cx="{_x(point.time, start, span):.1f}" cy="{_y(point.mean):.1f}" '
        f'r="3.5"><title>{escape(label)}</title></circle></a>'
    )


def _row(node: int, point: Point) -> str:
    return (
        f'<tr id="{_anchor(node, point)}"><td>{_when(point.time)}</td><td>{point.positive:g}</td>'
        f"<td>{point.negative:g}</td><td>{point.ratings}</td><td>{point.number} of <code>{escape(point.rater)}</code>"
        f"</td><td><code>{escape(point.transaction)}</code></td></tr>"
    )


def _anchor(node: int, point: Point) -> str:
    return f"n{node}-{escape(point.rater)}-{point.number}"


def _x(at: float, start: float, span: float) -> float:
    return MARGIN + (WIDTH - MARGIN - 6) * (at - start) / span


def _y(value: float) -> float:
    return 8 + (HEIGHT - 26) * (1 - min(max(value, 0.0), 1.0))


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
