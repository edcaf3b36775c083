"""Run every part of the reading benchmark and report them together."""

from __future__ import annotations

from benchmarks.harness import report_parts

from .encodings import encodings_part
from .pages import pages_part
from .pdfs import pdfs_part

PARTS = (pdfs_part, pages_part, encodings_part)


def main() -> None:
    report_parts("reading", PARTS, width=6)


if __name__ == "__main__":
    main()
