"""Shared parts of the benchmarks: external data sets, and reports."""

from __future__ import annotations

import gzip
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Part = Callable[[Axes], tuple[dict[str, float], dict[str, Any]]]
RESULTS = Path(__file__).parent / "results"


def has_data() -> bool:
    """Tell if ``$KNET_DATA`` is a folder."""
    return Path(os.environ.get("KNET_DATA") or "/nonexistent").is_dir()


def data(name: str) -> Iterator[dict[str, Any]]:
    """Return the records of a data set, such as ``squad_dev.docs``; exit with advice where it is missing."""
    path = Path(os.environ.get("KNET_DATA") or "data") / f"{name}.jsonl.gz"
    if not path.is_file():
        sys.exit(
            f"{path} does not exist. Set KNET_DATA to a folder that holds {name}.jsonl.gz: gzipped JSON lines, "
            'documents as {"id", "title", "text"}, queries as {"id", "text", "relevant": {document id: grade}}.'
        )
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def bars(values: Mapping[str, float], *, label: str, title: str, limits: tuple[float, float]) -> Figure:
    """Draw one bar for each value, the first on top, with its number."""
    figure = Figure(figsize=(8, 0.4 * len(values) + 1))
    axes = figure.subplots()
    axes.bar_label(axes.barh(list(values), list(values.values())), fmt="%.3f", padding=2, fontsize=7)
    axes.invert_yaxis()
    axes.set(xlim=limits, xlabel=label, title=title)
    return figure


def report(name: str, figures: Mapping[str, float], details: Mapping[str, Any], figure: Figure) -> None:
    """Write ``results/<name>.json`` and ``.png``; print the figures, as the last line, as JSON.

    ``figures`` are the few numbers to compare runs by; ``details`` is everything a reader needs to understand them.
    """
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    record = {"bench": name, "time": int(time.time()), "machine": machine, "figures": figures, "details": details}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    figure.savefig(RESULTS / f"{name}.png", dpi=120, bbox_inches="tight")
    print(f"details and picture: {RESULTS / name}.json, .png")
    print(json.dumps({"bench": name, "figures": figures}), flush=True)


def report_parts(name: str, parts: Sequence[Part], *, width: float) -> None:
    """Run parts that each draw on one axes, ``width`` inches wide, and report their figures and details together."""
    picture = Figure(figsize=(width * len(parts), 5))
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    for number, part in enumerate(parts, 1):
        print(f"{part.__name__}: {(part.__doc__ or '').strip().splitlines()[0]}", flush=True)
        found, details[part.__name__] = part(picture.add_subplot(1, len(parts), number))
        figures |= found
    picture.tight_layout()
    report(name, figures, details, picture)
