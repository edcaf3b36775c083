"""Pinned versions: plain, and installable on the oldest supported Python."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_pin_is_a_plain_version() -> None:
    assert len(PINS) > 100
    assert all(re.fullmatch(r"==[^,]+", str(pin.specifier)) and pin.url is None for pin in PINS)


def test_pin_supports_the_oldest_python() -> None:
    minimum = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = minimum.removeprefix(">=") + ".0"
    refused = []
    for pin in PINS:
        try:
            found = distribution(pin.name)
        except PackageNotFoundError:
            continue
        requires = found.metadata.get("Requires-Python") or ""
        if pin.specifier.contains(found.version, prereleases=True) and not SpecifierSet(requires).contains(oldest):
            refused.append(f"{pin.name} {found.version}: {requires}")
    assert refused == []


@pytest.mark.parametrize("name", ["torch", "numpy", "web3", "jupyterlab"])
def test_main_dependency_is_pinned(name: str) -> None:
    assert name in {pin.name for pin in PINS}
