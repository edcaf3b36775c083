"""The content of the extension's wheel, since hatchling drops missing files without an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent / "jupyter_ext"
DATA = "knet_jupyter-0.1.0.data/data/"
LAB = f"{DATA}share/jupyter/labextensions/knet-jupyter/"


@pytest.fixture(scope="module")
def built() -> None:
    if not (ROOT / "knet_jupyter" / "labextension" / "package.json").is_file():
        if os.environ.get("CI") == "true":
            pytest.fail("the extension is not built")
        pytest.skip("the extension is not built: run `make setup`")


@pytest.fixture(scope="module")
def wheel(built: None, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # pip builds here
        made = next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    return zipfile.ZipFile(made)


def test_wheel_contains_panels_and_settings(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"{LAB}package.json", f"{LAB}install.json", f"{LAB}static/style.js"} <= names
    assert f"{LAB}schemas/knet-jupyter/plugin.json" in names
    assert {"knet_jupyter/static/widget.js", "knet_jupyter/static/widget.css"} <= names
    built = json.loads(wheel.read(f"{LAB}package.json"))["jupyterlab"]["_build"]
    assert f"{LAB}{built['load']}" in names


def test_source_distribution_installs_without_node(built: None, tmp_path: Path) -> None:
    """The source distribution contains the built panels, and JupyterLab finds the installed ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        source = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    (tmp_path / "nothing").mkdir()
    bare = {**os.environ, "PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path)}
    offline = ["--ignore-installed", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--prefix", str(tmp_path / "env"), source]
    done = subprocess.run(command, env=bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    site = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "env")})
    there = {**bare, "JUPYTER_PATH": str(tmp_path / "env" / "share" / "jupyter"), "PYTHONPATH": site}
    listed = subprocess.run(
        [sys.executable, "-m", "jupyterlab.labextensions", "list"],
        env=there, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.search(
        rf"{re.escape(str(tmp_path))}.*\n.*knet-jupyter v0.1.0.*enabled.*OK", listed.stdout + listed.stderr
    )


def test_wheel_enables_the_server_extension(wheel: zipfile.ZipFile) -> None:
    config = json.loads(wheel.read(f"{DATA}etc/jupyter/jupyter_server_config.d/knet_jupyter.json"))
    assert config["ServerApp"]["jpserver_extensions"] == {"knet_jupyter": True}
    assert "knet_jupyter/server/extension.py" in wheel.namelist()


def test_wheel_contains_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {
        "knet_jupyter",
        DATA.split("/")[0],
        "knet_jupyter-0.1.0.dist-info",
    }
    assert not [name for name in names if "node_modules" in name or name.endswith(".ts") or "/labextension/" in name]


def test_python_and_npm_versions_agree() -> None:
    from knet_jupyter import __version__

    assert json.loads((ROOT / "package.json").read_text())["version"] == __version__
