"""Sync or publication of the benchmark's node in a separate process, whose memory is measured."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish

from .corpus import Library, paragraphs


def main() -> None:
    what, folder, passages = sys.argv[1:]
    library = Library(int(passages))
    node = Node(Path(folder), load=lambda model, *, bulk=False: library, cut=lambda model, space: paragraphs)
    started = time.perf_counter()
    report = sync(node) if what == "sync" else publish(node, progress=_phases())
    done = {"chunks": report.chunks, "seconds": round(time.perf_counter() - started, 1), "peak_mb": peak_megabytes()}
    print(json.dumps(done), flush=True)


class _phases:
    """Progress that prints the start of each phase on stderr."""

    def __init__(self) -> None:
        self._last = ""
        self._started = time.perf_counter()

    def __call__(self, phase: str, done: int, total: int) -> None:
        if phase != self._last:
            self._last = phase
            print(f"  {time.perf_counter() - self._started:6.1f} s, {peak_megabytes()} MB: {phase}", file=sys.stderr)


def peak_megabytes(process: str = "self") -> int:
    """Return the peak resident memory of a process, with pages of mapped files."""
    return status_megabytes("VmHWM", process)


def status_megabytes(field: str, process: str = "self") -> int:
    """Return a figure of ``/proc/PID/status``."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) // 1024


if __name__ == "__main__":
    main()
