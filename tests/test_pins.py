"""The pins fit every Python that knet promises to run on, and name no place that packages come from."""

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


def test_they_are_plain_versions() -> None:
    assert len(PINS) > 100
    assert all(re.fullmatch(r"==[^,]+", str(pin.specifier)) and pin.url is None for pin in PINS)


def test_the_oldest_python_that_is_promised_can_install_them() -> None:
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = promised.removeprefix(">=") + ".0"
    refused = []
    for pin in PINS:
        try:
            found = distribution(pin.name)
        except PackageNotFoundError:
            continue
        wants = found.metadata.get("Requires-Python") or ""
        if pin.specifier.contains(found.version, prereleases=True) and not SpecifierSet(wants).contains(oldest):
            refused.append(f"{pin.name} {found.version}: {wants}")
    assert refused == []


@pytest.mark.parametrize("name", ["torch", "numpy", "web3", "jupyterlab"])
def test_what_decides_most_is_among_them(name: str) -> None:
    assert name in {pin.name for pin in PINS}
