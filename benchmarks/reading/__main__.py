"""Run every part of the reading benchmark and report them together."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmarks.harness import report

from .encodings import encodings_part
from .pages import pages_part
from .pdfs import pdfs_part

PARTS = (pdfs_part, pages_part, encodings_part)  # each draws on one axes and gives figures and details


def main() -> None:
    picture = Figure(figsize=(6 * len(PARTS), 5))
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    for number, part in enumerate(PARTS, 1):
        print(f"{part.__name__}: {(part.__doc__ or '').strip().splitlines()[0]}", flush=True)
        found, details[part.__name__] = part(picture.add_subplot(1, len(PARTS), number))
        figures |= found
    picture.tight_layout()
    report("reading", figures, details, picture)


if __name__ == "__main__":
    main()
