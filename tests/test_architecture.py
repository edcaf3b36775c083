"""Shape of the tree: direction of imports, length of files, content that must not be committed."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import knet

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "knet": ROOT / "knet",
    "knet_indexer": ROOT / "indexers" / "knet_indexer",
    "knet_jupyter": ROOT / "jupyter_ext" / "knet_jupyter",
}
LAYERS = (  # lowest first: a module imports from its own layer and those below it (the longest matching name counts)
    ("knet",),  # the public names, loaded on first use
    ("knet.redaction",),
    ("knet.errors", "knet.files"),
    ("knet.sqlite",),
    ("knet.codec", "knet.limits", "knet.merkle", "knet.http"),
    ("knet.records", "knet.record", "knet.derivation", "knet.first_published"),
    ("knet.config",),
    ("knet.content", "knet.chain"),
    ("knet.embed",),
    ("knet.index",),
    ("knet.dsi", "knet.trust"),
    ("knet.routing",),
    ("knet.search",),
    ("knet.answer",),
    ("knet.rating", "knet.langchain"),
    ("knet.client",),
    ("knet.cli", "knet.mcp", "knet.ipython", "knet.vectorstore"),
)
REGISTRIES = (("pypi", "org"), ("files", "pythonhosted"), ("registry", "npmjs"), ("deb", "debian"))
HOSTS = tuple(".".join(parts) for parts in REGISTRIES)
MAX_LINES = 400  # a longer file holds two subjects
MEDIAN_LINES = 120  # of a product module that has any content
BULK = (
    "knet.embed.autotune",
    "knet.embed.onnx_export",
    "knet.embed.torch_backend",
)  # need torch, for indexing and exporting only
HEAVY = ("torch", "transformers", "sentence_transformers", "sklearn", "matplotlib", "IPython", "fastapi")


def module_name(package: str, path: Path) -> str:
    parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


MODULES = {module_name(package, path): path for package, folder in PACKAGES.items() for path in folder.rglob("*.py")}


def imported(name: str) -> Iterator[str]:
    """Yield every module that a module imports, lazily too; imports for type checkers are left out."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _executed(node)


GRAPH = {name: {found for found in imported(name) if found in MODULES and found != name} for name in MODULES}


def layer(name: str) -> int:
    prefixes = {prefix: rank for rank, names in enumerate(LAYERS) for prefix in names}
    package = name
    while package not in prefixes:
        package = package.rpartition(".")[0]
    assert package != "knet" or name == "knet", f"{name} is not in any layer"
    return prefixes[package]


def test_import_inside_knet_points_to_the_same_or_a_lower_layer() -> None:
    upward = [
        f"{name} imports {found}"
        for name, founds in GRAPH.items()
        for found in founds
        if name.startswith("knet.") and found.split(".")[0] == "knet" and layer(found) > layer(name)
    ]
    assert upward == []


def test_layers_name_modules_that_exist() -> None:
    assert [name for names in LAYERS for name in names if name not in MODULES] == []


def test_imports_have_no_cycle() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_library_imports_no_program_and_the_node_no_extension() -> None:
    library = [(name, target) for name in MODULES if name.split(".")[0] == "knet" for target in imported(name)]
    node = [(name, target) for name in MODULES if name.startswith("knet_indexer") for target in imported(name)]
    assert [pair for pair in library if pair[1].startswith(("knet_indexer", "knet_jupyter"))] == []
    assert [pair for pair in node if pair[1].startswith("knet_jupyter")] == []


def test_public_name_of_the_library_loads() -> None:
    for name in (*knet.__all__, "load_ipython_extension"):
        assert getattr(knet, name) is not None


def test_client_imports_nothing_heavy() -> None:
    """Hold torch (4 s, 400 MB) out of commands that embed one query, which start in a fraction of a second."""
    used = (
        "knet.routing",
        "knet.search",
        "knet.answer",
        "knet.client",
        "knet.embed",
        "knet.index",
        "knet.content",
        "knet.chain",
        "knet.cli.main",
    )
    asked = ["knet", *(name for name in MODULES if name.startswith(used) and name not in BULK)]
    program = f"import importlib, sys\nfor name in {asked!r}: importlib.import_module(name)\n"
    program += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


# --- tracked files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout, so there is no list of tracked files")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_source_file_is_at_most_400_lines(tracked: list[Path]) -> None:
    sources = [path for path in tracked if path.suffix in {".py", ".ts", ".tsx", ".sol", ".js"}]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_median_product_module_is_at_most_120_lines() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES.values()]
    assert statistics.median(filter(None, lengths)) <= MEDIAN_LINES


def test_no_tracked_file_names_a_registry_host_or_a_path_of_this_machine(tracked: list[Path]) -> None:
    folders = {ROOT, ROOT.parent, Path.home()} - {Path("/"), Path("/tmp")}
    words = [*HOSTS, *(f"{folder}/" for folder in folders)]
    found = []
    for path in tracked:
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [(str(path.relative_to(ROOT)), word) for word in words if word in text]
    assert found == []
