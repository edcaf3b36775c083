"""Run every part of the indexing benchmark and report them together."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmarks.harness import report

from .embed import embed_part
from .ray import ray_part
from .resync import resync_part

PARTS = (embed_part, resync_part, ray_part)  # each draws on one axes and gives figures and details


def main() -> None:
    picture = Figure(figsize=(5 * len(PARTS), 4))
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    for number, part in enumerate(PARTS, 1):
        print(f"{part.__name__}: {(part.__doc__ or '').strip().splitlines()[0]}", flush=True)
        found, details[part.__name__] = part(picture.add_subplot(1, len(PARTS), number))
        figures |= found
    report("indexing", figures, details, picture)


if __name__ == "__main__":
    main()
