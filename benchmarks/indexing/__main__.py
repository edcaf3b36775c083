"""Run every part of the indexing benchmark and report them together."""

from __future__ import annotations

from benchmarks.harness import report_parts

from .embed import embed_part
from .ray import ray_part
from .resync import resync_part

PARTS = (embed_part, resync_part, ray_part)


def main() -> None:
    report_parts("indexing", PARTS, width=5)


if __name__ == "__main__":
    main()
