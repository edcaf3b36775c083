"""Print what a test run amounted to in one line, from pytest's JUnit file: ``knet: 312 passed, 0 failed``."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def summary(report: Path) -> str:
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return f"knet: {total - failed - skipped} passed, {failed} failed, {skipped} skipped"


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
