"""The guided tour runs from top to bottom with the results that it states."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from knet.answer.live import MEDIA_TYPE
from knet.answer.notebook import verify_notebook
from knet.client.network import connect
from knet_indexer.demo.network import DemoNetwork
from knet_indexer.demo.owners import OWNERS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "tutorial" / "guide.ipynb"

pytestmark = [pytest.mark.network, pytest.mark.model, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose demo network runs, as on Binder, with the two nodes that the guide needs."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", str(folder))
        network = DemoNetwork([owner for owner in OWNERS if owner.name in ("stdlib", "mirror")])
        try:
            network.start(lambda *_: None)
            yield folder
        finally:
            network.stop()


@pytest.fixture(scope="module")
def executed(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    notebook = nbformat.read(GUIDE, as_version=4)
    paths = [str(ROOT), str(ROOT / "indexers"), str(ROOT / "jupyter_ext"), str(installed(tmp_path_factory))]
    environment = {
        **os.environ,
        "KNET_HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
    }
    client = NotebookClient(notebook, timeout=600, kernel_name="python3")
    client.execute(env=environment, cwd=str(tmp_path_factory.mktemp("work")))
    saved: dict[str, Any] = json.loads(nbformat.writes(notebook))
    return saved


def installed(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that registers knet-jupyter for `%load_ext knet` in a checkout where it is not installed."""
    info = factory.mktemp("site") / "knet_jupyter-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: knet-jupyter\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[knet.ipython]\nmagics = knet_jupyter.kernel.magics:load\n")
    return info.parent


def output_of(notebook: dict[str, Any], containing: str) -> str:
    """Return all output of the cell with this source, as text."""
    (cell,) = [cell for cell in notebook["cells"] if containing in "".join(cell["source"])]
    texts = []
    for output in cell["outputs"]:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        texts.append("".join(text))
    return "\n".join(texts)


def test_answers_of_the_guide_verify_again(
    executed: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNET_HOME", str(home))
    with connect("demo") as net:
        reports = verify_notebook(executed, net.verify)
    assert len(reports) == 4
    assert [report.failed for report in reports] == [[]] * 4


def test_changed_record_fails_verification(executed: dict[str, Any]) -> None:
    assert "0 fail, 0 could not be checked" in output_of(executed, "answer.verify()")
    assert "ok=False" in output_of(executed, "net.verify(changed)")


def test_mirror_loses_reliability_and_the_answer_becomes_right(executed: dict[str, Any]) -> None:
    moved = output_of(executed, "before[title]")
    reliability = {line[:28].strip(): line[28:].split(" -> ") for line in moved.splitlines() if " -> " in line}
    assert float(reliability["Python standard library"][1]) > float(reliability["Python standard library"][0])
    assert float(reliability["Unofficial Python mirror"][1]) < float(reliability["Unofficial Python mirror"][0])
    assert "the smaller of the two middle values is returned" in output_of(executed, "again = net.ask")


def test_node_of_the_user_answers(executed: dict[str, Any]) -> None:
    assert "squeaks when it is disturbed" in output_of(executed, "hawkmoth do when")


def test_guide_is_stored_without_outputs() -> None:
    cells = json.loads(GUIDE.read_text())["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert MEDIA_TYPE not in GUIDE.read_text()
