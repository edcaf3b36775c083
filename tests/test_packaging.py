"""Contents of the wheel, and the one name by which the distribution is installed."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from knet.errors import DISTRIBUTION, MissingExtra, pip_command

ROOT = Path(__file__).parent.parent
PRODUCT = ("knet/", "indexers/", "jupyter_ext/knet_jupyter/", "jupyter_ext/src/")
STRANGER = re.compile(
    r"""pip3? install\b[^`\n]*[\s'"]knet(?![\w/.-])|\bknet\\?\[\w"""
)  # PyPI's `knet`, in any command or extra


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return set(zipfile.ZipFile(built).namelist())


@pytest.fixture(scope="module")
def tree() -> dict[str, str]:
    """Text of every tracked text file, by its path."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is not a git checkout")
    texts = {}
    for name in filter(None, done.stdout.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            texts[name] = content.decode()
    return texts


@pytest.mark.parametrize("contract", ["IdentityRegistry", "ManifestRegistry", "Reliability"])
def test_wheel_contains_the_contracts(names: set[str], contract: str) -> None:
    assert f"knet/chain/artifacts/{contract}.json" in names


def test_wheel_contains_the_installer_of_the_development_chain(names: set[str]) -> None:
    assert {"knet/chain/tools/package.json", "knet/chain/tools/package-lock.json"} <= names


def test_wheel_contains_both_packages_with_their_types(names: set[str]) -> None:
    assert {
        "knet/py.typed",
        "knet_indexer/py.typed",
        "knet_indexer/cli/main.py",
        "knet_indexer/demo/network.py",
    } <= names


def test_wheel_contains_nothing_else(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"knet", "knet_indexer"}
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_distribution_and_its_extras_have_the_name_of_the_constant() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == DISTRIBUTION
    extras = project["optional-dependencies"]
    named = [need for needs in extras.values() for need in needs if "knet" in need and not need.startswith("knet-")]
    assert [need.partition("[")[0] for need in named] == [DISTRIBUTION] * 2
    extension = tomllib.loads((ROOT / "jupyter_ext" / "pyproject.toml").read_text())["project"]
    assert f"{DISTRIBUTION}[node,network]" in extension["dependencies"]


def test_every_missing_extra_exists_and_its_command_names_the_distribution(tree: dict[str, str]) -> None:
    extras = tomllib.loads(tree["pyproject.toml"])["project"]["optional-dependencies"]
    named = {
        extra
        for name, text in tree.items()
        if name.startswith(PRODUCT) and name.endswith(".py")
        for extra in re.findall(r"""MissingExtra\([^()]*,\s*["'](\w+)["']\)""", text)
    }
    assert named
    assert named <= extras.keys()
    assert pip_command("node", "ray") == f"pip install '{DISTRIBUTION}[node,ray]'"
    assert str(MissingExtra("torch", "dsi")) == f"torch is not installed. Run: {pip_command('dsi')}"


def test_no_file_installs_the_package_of_a_stranger(tree: dict[str, str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in tree.items()
        for number, line in enumerate(text.splitlines(), 1)
        if STRANGER.search(line)
    ]
    assert found == []


def test_product_code_spells_the_distribution_only_where_the_constant_is(tree: dict[str, str]) -> None:
    found = [name for name, text in tree.items() if name.startswith(PRODUCT) and DISTRIBUTION in text]
    assert found == ["knet/errors.py"]
