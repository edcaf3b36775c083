"""The Binder files against the project's own files."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"
LEFT_OUT = {"sentence-transformers"}  # brings torch
BROUGHT = {"knetwork", "jupyter-server", "jupyterlab", "ipython"}  # by the image and by postBuild


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~;\s]", line)[0] for line in requirements if line and not line.startswith("#")}


def test_requirements_cover_nodes_and_widgets_without_torch() -> None:
    listed = (BINDER / "requirements.txt").read_text().splitlines()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    needed = names(extras["node"] + extras["network"]) | {"anywidget"}
    extension = ROOT / "jupyter_ext" / "pyproject.toml"
    if extension.exists():
        needed |= names(tomllib.loads(extension.read_text())["project"]["dependencies"])
    assert names(listed) == needed - LEFT_OUT - BROUGHT


def test_started_nodes_are_the_prepared_ones() -> None:
    prepared = re.search(r"NODES = \((.*)\)", (BINDER / "prepare.py").read_text())
    assert prepared
    started = re.findall(r"--owner (\w+)", (BINDER / "start").read_text())
    assert started == re.findall(r'"(\w+)"', prepared[1])


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_are_executable(name: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-s", f"binder/{name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout, so there is no list of tracked files")
    assert listed.stdout.startswith("100755")
    assert subprocess.run(["bash", "-n", str(BINDER / name)], check=False).returncode == 0


def test_python_version_is_supported() -> None:
    wanted = (BINDER / "runtime.txt").read_text().strip()
    assert re.fullmatch(r"python-3\.1[1-9]", wanted)


def test_opened_tour_exists() -> None:
    guide = ROOT / "docs" / "tutorial" / "guide.ipynb"
    assert json.loads(guide.read_text())["nbformat"] == 4
    assert str(guide.relative_to(ROOT)) in (ROOT / "tools" / "test_binder.py").read_text()


def launch_link() -> str:
    """Return the badge's link: to Binder if the project has a repository URL, else to the page on forks."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    repository = str(urls.get("Repository", "")).rstrip("/").removesuffix(".git")
    tour = "HEAD?urlpath=lab/tree/docs/tutorial/guide.ipynb"
    if not repository:
        return "docs/how-to/binder.md"
    if repository.startswith("https://github.com/"):
        return f"https://mybinder.org/v2/gh/{repository.removeprefix('https://github.com/')}/{tour}"
    return f"https://mybinder.org/v2/git/{quote(repository, safe='')}/{tour}"


def test_badge_links_to_the_project() -> None:
    badge = re.search(r"\[!\[launch on Binder\]\(([^)]*)\)\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert badge, "README.md has no badge"
    image, link = badge.groups()
    assert (ROOT / image).is_file()
    assert link == launch_link(), "what pyproject.toml names as the repository is where the badge leads"
    assert link.startswith("https:") or (ROOT / link).is_file()


class Panel(BaseHTTPRequestHandler):
    """Server whose ``knet/ask`` replies with the events that the question names."""

    said: tuple[dict[str, str], ...] = ()

    def do_POST(self) -> None:
        right = (self.path, self.headers["Authorization"]) == ("/knet/ask", "token tour")
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if right else 403)
        self.end_headers()
        for event in self.said:
            self.wfile.write(json.dumps(event).encode() + b"\n")

    def log_message(self, *words: Any) -> None: ...


@pytest.fixture
def panel() -> Iterator[int]:
    """The port of such a server."""
    with HTTPServer(("127.0.0.1", 0), Panel) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tool() -> Any:
    spec = importlib.util.spec_from_file_location("binder_tool", ROOT / "tools" / "test_binder.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_panel_question_returns_the_answer_time(tool: Any, panel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Panel, "said", ({"event": "started"}, {"event": "phase"}, {"event": "answer"}))
    assert tool.ask_as_panel(panel) > 0
    monkeypatch.setattr(Panel, "said", ({"event": "started"}, {"event": "error", "message": "No network."}))
    with pytest.raises(SystemExit, match="No network"):
        tool.ask_as_panel(panel)
    monkeypatch.setattr(Panel, "said", ({"event": "started"}, {"event": "stopped"}))
    with pytest.raises(SystemExit, match="no answer"):
        tool.ask_as_panel(panel)


@pytest.mark.parametrize("late", ["first answer", "first answer in the panel"])
def test_late_first_answer_fails_the_check(tool: Any, monkeypatch: pytest.MonkeyPatch, late: str) -> None:
    """The answer is late in the tour or in the panel."""

    class Built:
        def __init__(self, folder: Path) -> None: ...

        def build(self) -> float:
            return 1.0

        def open(self) -> tuple[dict[str, float], int]:
            return {"first answer": 20.0, "first answer in the panel": 20.0, late: 61.0}, 1 << 30

    monkeypatch.setattr(tool, "Binder", Built)
    monkeypatch.setattr("sys.argv", ["test_binder.py"])
    with pytest.raises(SystemExit, match="longer than 60 s"):
        tool.main()
