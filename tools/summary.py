"""One-line summary of test runs from pytest's JUnit files: ``knet: 312 passed, 0 failed``."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def summary(reports: list[Path]) -> str:
    suites = [suite for report in reports for suite in ElementTree.parse(report).getroot().iter("testsuite")]
    total, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return f"knet: {total - failed - skipped} passed, {failed} failed, {skipped} skipped"


if __name__ == "__main__":
    print(summary([Path(name) for name in sys.argv[1:]]))
