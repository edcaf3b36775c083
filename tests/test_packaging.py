"""What a wheel carries: everything users run, and nothing of the checkout."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return set(zipfile.ZipFile(built).namelist())


@pytest.mark.parametrize("contract", ["IdentityRegistry", "ManifestRegistry", "Reliability"])
def test_it_carries_the_contracts(names: set[str], contract: str) -> None:
    assert f"knet/chain/artifacts/{contract}.json" in names


def test_it_carries_what_installs_the_development_chain(names: set[str]) -> None:
    assert {"knet/chain/tools/package.json", "knet/chain/tools/package-lock.json"} <= names


def test_it_carries_both_packages_with_their_types(names: set[str]) -> None:
    assert {"knet/py.typed", "knet_indexer/py.typed", "knet_indexer/cli.py", "knet_indexer/demo/network.py"} <= names


def test_it_carries_nothing_else(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"knet", "knet_indexer"}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]
