"""Documentation pages: they build, name what exists, and their blocks of code run against one network."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
EXECUTED = ("bash", "python")
SHOWN = ("json", "text")  # settings, and commands that need a foreign service
HOW_TO = sorted(path.stem for path in (DOCS / "how-to").glob("*.md"))
READY = "the tutorial is done"
PORTS = ("4180", "4190", "4191")


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def script(page: str, ports: dict[str, str]) -> str:
    """Return the commands that a reader of the page runs, in order."""
    parts = []
    for kind, code in blocks(page):
        if kind in EXECUTED:
            parts.append(code if kind == "bash" else f"python -W error::ResourceWarning - <<'PYTHON'\n{code}PYTHON\n")
    text = "\n".join(parts)
    for documented, port in ports.items():
        text = text.replace(documented, port)
    return text


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    """Map the ports that the pages name to free ones."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {documented: str(bound.getsockname()[1]) for documented, bound in zip(PORTS, sockets, strict=True)}
    for bound in sockets:
        bound.close()
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "KNET_HOME": str(tmp_path_factory.mktemp("home")), "PATH": path}


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], ports: dict[str, str]
) -> Iterator[Path]:
    """Folder after the tutorial's commands, with the node still running."""
    if shutil.which("curl") is None:
        pytest.skip("the pages use curl, which is not installed")
    folder = tmp_path_factory.mktemp("tutorial")
    output = folder / "output"
    command = f"exec > {output} 2>&1\nset -e\n{script('tutorial.md', ports)}\necho {READY}\nwait"
    shell = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, start_new_session=True)
    try:
        while READY not in (output.read_text() if output.exists() else ""):
            try:
                shell.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(output.read_text())
        yield folder
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(60)
        subprocess.run(["knet", "network", "down"], cwd=folder, env=environment, check=False, timeout=120)


@pytest.mark.network
@pytest.mark.model
@pytest.mark.timeout(600)
class TestPages:
    def test_tutorial_gives_a_verified_answer_and_a_rating(self, place: Path) -> None:
        output = " ".join((place / "output").read_text().split())
        assert "hawkmoth squeaks when it is disturbed" in output
        assert "0 fail, 0 could not be checked" in output
        assert "rated node 1 +100; on chain in 0x" in output
        assert "The Atlas moth is as wide as a dinner plate. [1]" in output

    @pytest.mark.parametrize("page", HOW_TO)
    def test_how_to_page_runs(self, page: str, place: Path, environment: dict[str, str], ports: dict[str, str]) -> None:
        done = subprocess.run(
            ["bash", "-ec", script(f"how-to/{page}.md", ports)],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert done.stdout


@pytest.mark.parametrize("page", [str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md"))])
def test_code_block_is_executed_or_has_a_shown_kind(page: str) -> None:
    if page in ("tutorial.md", *(f"how-to/{name}.md" for name in HOW_TO)):
        for kind, code in blocks(page):
            assert kind in (*EXECUTED, *SHOWN)
            if kind == "json":
                json.loads(code)
    else:
        assert not {kind for kind, _ in blocks(page)} & set(EXECUTED), "only the tutorial and how-to pages are executed"


def named(pattern: str) -> set[tuple[str, str]]:
    """Return page and name of everything in backticks on a page that the whole pattern matches."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    return {
        (str(page.relative_to(ROOT)), name)
        for page in pages
        for name in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        if re.fullmatch(pattern, name)
    }


def test_file_named_on_a_page_exists() -> None:
    folders = "knet|knet_indexer|knet_jupyter|indexers|jupyter_ext|contracts|tests|benchmarks|tools|docs|binder"
    record_tags = re.compile(r"knet/[\w-]+/\d")
    paths = {pair for pair in named(rf"(?:{folders})/[\w./-]+") if not record_tags.fullmatch(pair[1])}
    roots = (ROOT, ROOT / "indexers", ROOT / "jupyter_ext")
    assert {pair for pair in paths if not any((root / pair[1]).exists() for root in roots)} == set()


def test_module_named_on_a_page_exists() -> None:
    roots = {"knet": ROOT, "knet_indexer": ROOT / "indexers", "knet_jupyter": ROOT / "jupyter_ext"}
    packages = "answer|chain|client|content|dsi|embed|index|rating|routing|search|trust|cli|mcp"
    missing = set()
    for page, name in named(rf"knet\.(?:{packages})(?:\.\w+)*|knet_(?:indexer|jupyter)(?:\.\w+)+"):
        path = roots[name.split(".")[0]]
        for part in name.split("."):
            if path.is_dir():
                path = path / part if (path / part).is_dir() else path / f"{part}.py"
            elif not (path.is_file() and re.search(rf"\b(?:def|class) {part}\b|^{part}\b", path.read_text(), re.M)):
                missing.add((page, name))
                break
        if not path.exists():
            missing.add((page, name))
    assert missing == set()


def test_test_named_in_the_threat_model_exists() -> None:
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "contracts" / "test").rglob("*.sol")]
    defined = {name for path in sources for name in re.findall(r"\b(?:def|function) (\w+)", path.read_text())}
    tests = {name for page, name in named(r"(?:test|invariant)_\w+") if page == "docs/threat-model.md"}
    assert tests
    assert tests - defined == set()


def test_contract_function_in_the_protocol_exists() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "contracts" / "src").rglob("*.sol"))
    protocol = (DOCS / "protocol.md").read_text(encoding="utf-8")
    called = re.findall(r"`(\w+)\((?:\w+(?:, \w+)*)?\)`", protocol) + re.findall(r"`(challenge\w+)`", protocol)
    assert {"publish", "submit", "challengeLeaf"} <= set(called)
    assert [name for name in called if not re.search(rf"\b(?:function|event) {name}\b", sources)] == []


def imports(code: str) -> set[tuple[str, str]]:
    """Return module and name of every import from the project's packages."""
    return {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("knet")
        for alias in node.names
    }


def test_import_on_pages_and_in_the_tour_resolves() -> None:
    tour = json.loads((DOCS / "tutorial" / "guide.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in tour["cells"] if cell["cell_type"] == "code"]
    codes = [cell for cell in cells if not cell.startswith(("%", "!"))]
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *DOCS.rglob("*.md"))]
    codes += [code for page in pages for kind, code in BLOCK.findall(page) if kind == "python"]
    found = set().union(*map(imports, codes))
    assert found
    assert {pair for pair in found if not hasattr(importlib.import_module(pair[0]), pair[1])} == set()


def test_package_has_a_row_and_a_box_in_the_architecture() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    picture = (DOCS / "images" / "architecture.svg").read_text(encoding="utf-8")
    parts = {path.stem for path in (ROOT / "knet").iterdir() if path.suffix == ".py" or list(path.glob("*.py"))}
    parts -= {"__init__"}
    assert {part for part in parts if f"`knet.{part}`" not in page} == set()
    assert {part for part in parts if f">{part}</text>" not in picture} == set()


def test_pages_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'knetwork[docs]'")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: pip install 'knetwork[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    commands = (tmp_path / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    for command_name in ("knet ask", "knet mcp", "knet fetch", "knet node publish", "knet network up"):
        assert command_name in commands
    python = (tmp_path / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    assert "as_retriever" in python
