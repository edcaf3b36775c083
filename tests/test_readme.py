"""Commands of the README: each block is executed, in order, in one fresh home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.M | re.S)

pytestmark = [pytest.mark.network, pytest.mark.model, pytest.mark.timeout(600)]


def blocks(language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(README.read_text()) if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "notes").mkdir()
    (folder / "notes" / "hawkmoths.md").write_text("# Hawkmoths\n\nThe death's-head hawkmoth squeaks when disturbed.\n")
    yield folder
    run(folder, "knet network down; knet network down demo")


def run(folder: Path, command: str, **more: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "KNET_HOME": str(folder / "home"), "PATH": path, **more}
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_blocks_of_a_data_owner_run(place: Path) -> None:
    block = next(block for block in blocks("bash") if "node init" in block)
    assert "1" in run(place, block)
    assert '"documents":1' in run(place, "knet node status --json").replace(" ", "")


def test_blocks_of_a_notebook_user_and_a_developer_run(place: Path) -> None:
    """Run the python blocks as one script, and the terminal block while its network is up."""
    script = "\n".join(blocks("python"))
    terminal = next(block for block in blocks("bash") if "knet ask" in block)
    script += f"\nimport subprocess\nsubprocess.run(['bash', '-ec', {terminal!r}], check=True)\n"
    output = run(place, f"{sys.executable} -W error::ResourceWarning - <<'PY'\n{script}\nPY")
    assert "0 fail, 0 could not be checked" in output
    assert "of the two middle values is returned" in output
    assert "python:numpy" in output
