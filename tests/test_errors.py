"""One error tree: its picture is true, and the code raises nothing outside it without saying so."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet import errors

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "knet").rglob("*.py"), *(ROOT / "indexers").rglob("*.py")])
TREE = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.KnetError)
}
FRAMEWORK = {"SystemExit", "KeyboardInterrupt", "StopIteration", "Exit", "BadParameter", "HTTPException"}
ARGUMENT_MISUSE = {"ValueError", "TypeError", "AttributeError", "KeyError", "IndexError", "ImportError"}
DOCUMENTED = ARGUMENT_MISUSE | {"OSError", "NotImplementedError"}  # may be raised where the docstring says so


def drawn_tree() -> dict[str, str]:
    """Class and parent as the docstring draws them."""
    path: list[str] = []
    parents = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"^(    [│ ├└─]*)([A-Z]\w+)(\s{2,}|$)", line):
            depth = (len(match[1]) - 4) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_docstring_tree_equals_the_class_tree() -> None:
    assert drawn_tree() == {name: kind.__bases__[0].__name__ for name, kind in TREE.items()}


def test_error_text_is_message_and_hint() -> None:
    error = errors.BlockNotFound("no store has the block.", hint="Add a gateway.")
    assert isinstance(error, errors.KnetError)
    assert str(error) == "no store has the block. Add a gateway."


def raises(tree: ast.AST, docs: str = "", caught: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Line and name of each exception class raised, unless it is documented or caught right there."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(called).rpartition(".")[2]
            if name[:1].isupper() and not (name in DOCUMENTED and (name in docs or name in caught)):
                yield node.lineno, name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own = "ValueError TypeError AttributeError" if node.name.startswith("__") else ""
            own += " OSError" if node.name.startswith("_") else ""  # the public function that calls it translates
            yield from raises(node, f"{docs} {own} {ast.get_docstring(node)}", caught)
        elif isinstance(node, ast.Try):
            here = frozenset(re.findall(r"\w+", " ".join(ast.unparse(h.type) for h in node.handlers if h.type)))
            yield from raises(ast.Module(node.body, []), docs, caught | here)
            yield from raises(ast.Module([*node.handlers, *node.orelse, *node.finalbody], []), docs, caught)  # type: ignore[list-item]
        else:
            yield from raises(node, docs, caught)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_raises_only_knet_errors_or_documented_ones(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.startswith("_")}
    known = TREE.keys() | FRAMEWORK | private
    assert [f"line {line}: {name}" for line, name in raises(tree) if name not in known] == []


def test_no_module_defines_errors_outside_the_tree() -> None:
    own = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if any(ast.unparse(base).rpartition(".")[2] in {*TREE, "Exception", *DOCUMENTED} for base in node.bases)
    ]
    assert own == []
