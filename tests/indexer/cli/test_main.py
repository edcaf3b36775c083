"""`knet node` commands of a data owner, with a real (tiny) model."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from knet.chain.evm import EvmChain
from knet.config import Profile, save_profile
from knet_indexer.cli.main import app
from knet_indexer.config import FIRST_PORT, load_config
from tests.embed.conftest import build_model

ROOT = Path(__file__).resolve().parents[3]
TEXT = "What is a hash? The index of a node asks the chain. "

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def knet_home(tmp_path_factory: pytest.TempPathFactory, devnet: Profile) -> Iterator[Path]:
    """A user's home with one network in it, shared by all tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", str(home))
        save_profile(devnet, default=True)
        yield home


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.md").write_text(f"# The node {number}\n\n{TEXT}")
    return folder


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else " ".join(result.stderr.split())


def run_json(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def up(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    """Run a node process until it serves, and yield it with the JSON lines it wrote until then."""
    command = [sys.executable, "-m", "knet_indexer", "up", "--home", str(home), "--json", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                if lines[-1]["phase"] == "serve":
                    break
            yield process, lines
        finally:
            if process.poll() is None:
                process.kill()


def get(endpoint: str, path: str) -> int:
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_owner_publishes_a_folder_from_the_command_line(
    knet_home: Path, model: Path, documents: Path, chain: EvmChain
) -> None:
    created = run_json("init", "mine", "--model", model, "--description", "On nodes", "--licence", "CC0-1.0")
    home = Path(created["home"])
    assert (home, created["port"]) == (knet_home / "nodes" / "mine", FIRST_PORT)
    assert (home / "node.key").stat().st_mode & 0o777 == 0o600
    assert run_json("add", f"folder:{documents}")["sources"][0]["spec"] == f"folder:{documents}"

    synced = run_json("sync")
    assert (synced["added"], synced["skipped"]) == (3, [])
    published = run_json("publish")
    assert (published["sequence"], published["documents"]) == (1, 3)
    assert str(chain.manifests.heads(published["node"])[-1].manifest) == published["manifest"]

    (documents / "bad.ipynb").write_text("not a notebook")
    (documents / "0.md").unlink()
    assert "1 removed" in run("sync", "mine")
    assert [entry["uri"] for entry in run_json("skipped")] == ["folder:documents/bad.ipynb"]
    assert "published manifest 2" in run("publish")
    assert "nothing changed" in run("publish")
    found = run_json("status")
    assert (found["documents"], found["node"], found["sequence"]) == (2, published["node"], 2)
    assert "1 skipped" in run("status")
    assert run_json("gc")["blocks"] == 0

    assert run_json("remove", f"folder:{documents}") == {"sources": []}
    assert run_json("sync")["removed"] == 3


def test_up_command_syncs_publishes_serves_and_stops_on_a_signal(
    knet_home: Path, tmp_path: Path, model: Path, documents: Path, chain: EvmChain
) -> None:
    home = tmp_path / "node"
    run("init", "up", "--home", home, "--model", model, "--port", free_port())
    run("add", f"folder:{documents}", "--home", home)
    with up(home) as (process, lines):
        results = {line["phase"]: line for line in lines}
        assert (results["sync"]["added"], results["publish"]["sequence"]) == (3, 1)
        assert get(results["serve"]["endpoint"], "/readyz") == 200
        assert "in use" not in run("sync", "--home", home), "a node that serves can be synced"
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        first = results["publish"]["node"]
    assert chain.registry_snapshot().nodes[first].endpoint == load_config(home).public_endpoint

    port = free_port()
    (documents / "late.md").write_text("# Late\n\nWritten while the node was stopped.")
    with up(home, "--port", str(port), "--attached") as (process, lines):
        assert [line["phase"] for line in lines] == ["serve"], "the published head is served before the sync"
        assert process.stdout is not None
        later = json.loads(process.stdout.readline())
        assert (later["phase"], later["node"], later["sequence"]) == ("publish", first, 2)
        assert chain.registry_snapshot().nodes[first].endpoint == f"http://127.0.0.1:{port}", (
            "it announced its new endpoint"
        )
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def test_command_with_a_mistake_prints_one_line(knet_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "node"
    assert "Create one with `knet node init" in run("sync", "--home", home, status=1)
    run("init", "one", "--home", home)
    assert "is a node already" in run("init", "one", "--home", home, status=1)
    assert "is not valid" in run("init", "../one", status=1)
    assert "is not a source" in run("add", "gopher:hole", "--home", home, status=1)
    assert "key=value" in run("add", f"folder:{tmp_path}", "-o", "base", "--home", home, status=1)
    assert "is not a source of node" in run("remove", f"folder:{tmp_path}", "--home", home, status=1)
    assert "indexed nothing" in run("publish", "--home", home, status=1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in run("serve", "--home", home, "--port", taken.getsockname()[1], status=1)
    (home / "node.json").write_text("{")
    error = run("status", "--home", home, status=1)
    assert error.startswith("error:")
    assert os.fspath(home) in error
