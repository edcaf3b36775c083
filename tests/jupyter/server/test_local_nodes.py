"""Local nodes without a serving one, which `tests/browser/test_local_nodes.py` starts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knet.errors import ConfigError, NodeBusy
from knet_indexer.config import NodeConfig, SourceConfig, node_home
from knet_indexer.node import create_node
from knet_jupyter.server import local_nodes as own
from tests.network.clients import PATIENT, wait_for
from tests.network.support import RunningNode

Call = Callable[..., Any]


FOLDERS = [
    "",
    "/",
    "..",
    "../..",
    "nowhere",
    ".ssh",
    "docs/../..",
    "notes.md",
    "link",
    "keys",
    "loop",
    "a\0b",
    "x" * 300,
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_outside_the_workspace_is_refused(refused: Call, call: Call, jp_root_dir: Path, folder: str) -> None:
    (jp_root_dir / ".ssh").mkdir()
    (jp_root_dir / "docs").mkdir()
    (jp_root_dir / "notes.md").write_text("text")
    (jp_root_dir / "link").symlink_to("/etc")
    (jp_root_dir / "keys").symlink_to(".ssh")
    (jp_root_dir / "loop").symlink_to("loop")
    status, said = refused("local-nodes", {"name": "mine", "folder": folder})
    assert status == 400
    assert "is not a folder of this workspace" in said["message"]
    assert call("local-nodes") == []


@pytest.mark.parametrize("name", ["", "../evil", ".hidden", "a/b"])
def test_path_as_node_name_is_refused(refused: Call, jp_root_dir: Path, name: str) -> None:
    (jp_root_dir / "docs").mkdir()
    assert refused("local-nodes", {"name": name, "folder": "docs"})[0] == 400


def test_sync_and_stop_of_a_stopped_node_are_refused(refused: Call) -> None:
    assert refused("local-nodes/sync", {"name": "mine"})[0] == 400
    assert refused("local-nodes/stop", {"name": "mine"})[0] == 400


def test_failed_start_shows_the_reason(call: Call, home: Path) -> None:
    create_node(node_home("broken"), NodeConfig(name="broken", profile="jupyter", port=1))
    assert call("local-nodes", {"name": "broken"})["state"] == "starting"
    until = time.monotonic() + 4 * PATIENT
    while (node := call("local-nodes")[0])["state"] == "starting":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert node["state"] == "failed"
    assert "has indexed nothing" in node["detail"]
    assert call("local-nodes/stop", {"name": "broken"})["state"] == "off"


def test_node_stopped_during_a_sync_does_not_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a program that ends successfully on request."""
    begun: list[str] = []

    def spawn(log: Path, *command: str) -> subprocess.Popen[str]:
        begun.append(command[0])
        program = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(own, "start_command", spawn)
    running = own._Running(tmp_path, "up")
    running.sync()
    wait_for(lambda: "sync" in begun, "the sync begins")
    own._stop([running])
    wait_for(lambda: not running.syncing, "the sync ends")
    assert begun == ["up", "sync"]


@pytest.fixture
def stand_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], own.LocalNodes]:
    """Return local nodes one and two with a program in place of each node process, in the node's folder."""

    def nodes(program: str) -> own.LocalNodes:
        begin = own.start_command

        def spawn(log: Path, *command: str) -> subprocess.Popen[str]:
            if command[0] != "up":
                return begin(log, *command)
            return subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=log.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

        monkeypatch.setattr(own, "start_command", spawn)
        for name in ("one", "two"):
            create_node(node_home(name), NodeConfig(name=name, profile="jupyter"))
        return own.LocalNodes(home)

    return nodes


PATIENTLY = """
import pathlib, sys, time
print('{"phase": "serve"}', flush=True)
sys.stdin.read()
pathlib.Path("told").touch()
while not all(pathlib.Path(name).exists() for name in AWAITED):
    time.sleep(0.02)
"""


def test_stopping_node_is_not_started(stand_in: Callable[[str], own.LocalNodes], nodes: list[RunningNode]) -> None:
    mine, profile = stand_in(PATIENTLY.replace("AWAITED", "['leave']")), nodes[0].node.profile
    mine.start("one", "", profile)
    wait_for(lambda: mine.nodes()[0].state == "serving", "it serves")
    stopping = threading.Thread(target=mine.stop, args=("one",))
    stopping.start()
    wait_for((node_home("one") / "told").exists, "it is told to stop")
    assert mine.nodes()[0].state == "stopping"
    with pytest.raises(NodeBusy, match="being stopped"):
        mine.start("one", "", profile)
    with pytest.raises(ConfigError, match="is not running"):
        mine.sync("one")
    (node_home("one") / "leave").touch()
    stopping.join(PATIENT)
    assert mine.nodes()[0].state == "off"


def test_nodes_are_stopped_in_parallel(stand_in: Callable[[str], own.LocalNodes], nodes: list[RunningNode]) -> None:
    """Each program ends after both got the request."""
    mine = stand_in(PATIENTLY.replace("AWAITED", "['../one/told', '../two/told']"))
    for name in ("one", "two"):
        mine.start(name, "", nodes[0].node.profile)
    wait_for(lambda: {node.state for node in mine.nodes()} == {"serving"}, "they serve")
    processes = [running._process for running in mine._running.values()]
    mine.close()
    assert [process.returncode for process in processes] == [0, 0]


def test_failed_sync_shows_the_reason(stand_in: Callable[[str], own.LocalNodes], nodes: list[RunningNode]) -> None:
    mine = stand_in(PATIENTLY.replace("AWAITED", "[]"))
    mine.start("one", "", nodes[0].node.profile)
    wait_for(lambda: mine.nodes()[0].state == "serving", "it serves")
    (node_home("one") / "sync.log").mkdir()  # in the place of its log
    mine.sync("one")
    wait_for(lambda: mine.nodes()[0].state == "serving", "the sync is over")
    assert "sync cannot be started" in mine.nodes()[0].detail
    mine.close()


def test_unreadable_settings_leave_other_nodes_listed(call: Call, home: Path) -> None:
    create_node(node_home("mine"), NodeConfig(name="mine", profile="jupyter"))
    create_node(node_home("spoilt"), NodeConfig(name="spoilt", profile="jupyter"))
    (node_home("spoilt") / "node.json").write_text("{")
    whole, spoilt = call("health")["local_nodes"]
    assert (whole["name"], whole["state"]) == ("mine", "off")
    assert (spoilt["name"], spoilt["state"]) == ("spoilt", "failed")
    assert "node.json" in spoilt["detail"]


def test_taken_name_with_another_folder_is_refused(call: Call, refused: Call, jp_root_dir: Path) -> None:
    for folder in ("docs", "other"):
        (jp_root_dir / folder).mkdir()
    source = SourceConfig(spec=f"folder:{(jp_root_dir / 'docs').resolve()}")
    create_node(node_home("mine"), NodeConfig(name="mine", profile="jupyter", sources=[source]))
    status, said = refused("local-nodes", {"name": "mine", "folder": "other"})
    assert status == 400
    assert "indexes another folder" in said["message"]
    assert call("local-nodes", {"name": "mine", "folder": "docs"})["state"] == "starting"
    call("local-nodes/stop", {"name": "mine"})


def test_sync_reports_its_progress(tmp_path: Path, jp_root_dir: Path, home: Path) -> None:
    """Return the command that `_Running` starts for the node."""
    (jp_root_dir / "docs").mkdir()
    (jp_root_dir / "docs" / "otter.md").write_text("An otter eats fish.")
    source = SourceConfig(spec=f"folder:{jp_root_dir / 'docs'}")
    create_node(node_home("mine"), NodeConfig(name="mine", profile="jupyter", sources=[source]))
    command = [sys.executable, "-m", "knet_indexer", "sync", "mine", "--lines", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENT, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"list", "read", "embed"} <= {line.get("phase") for line in lines[:-1]}
    assert lines[-1]["added"] == 1


def test_demo_nodes_are_not_local_nodes(call: Call, home: Path) -> None:
    create_node(node_home("demo-numpy"), NodeConfig(name="NumPy", profile="demo"))
    assert call("local-nodes") == []
