"""The error tree: its documentation, its hints, and the errors that modules raise."""

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
FRAMEWORK = {
    "NotImplementedError",
    "SystemExit",
    "KeyboardInterrupt",
    "StopIteration",
    "Exit",
    "BadParameter",
    "HTTPException",
    "BadResponseFormat",  # web3's, for its callers
}
ARGUMENT_MISUSE = {"ValueError", "TypeError", "AttributeError", "KeyError", "IndexError", "ImportError"}
DOCUMENTED = ARGUMENT_MISUSE | {"OSError", "EOFError"}  # may be raised where the docstring says so


def drawn_tree() -> dict[str, str]:
    """Return each class and its parent, as drawn in the docstring."""
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


def test_error_text_has_no_control_characters() -> None:
    """Threat model: document, node; terminal escapes in the message of an error, which commands and logs print."""
    error = errors.SourceError(
        "a\x1b]0;owned\x07\x9b2J\u202e.md cannot be read.\nSee\tbelow.", hint="Rename \x1b[2J it."
    )
    assert str(error) == "a�]0;owned��2J�.md cannot be read.\nSee\tbelow. Rename �[2J it."
    assert error.described == str(error)


@pytest.mark.parametrize("name", TREE)
def test_every_error_class_has_a_hint(name: str) -> None:
    if name in ("KnetError", "MissingExtra"):  # the base class; the pip command
        return
    assert re.fullmatch(r"[A-Z][^\n]*\.", TREE[name].default_hint)
    error = TREE[name]("The thing is wrong")
    assert error.described == f"The thing is wrong. {TREE[name].default_hint}"
    assert TREE[name]("The thing is wrong.", hint="Correct it.").described == "The thing is wrong. Correct it."


def test_missing_extra_names_the_pip_command() -> None:
    assert errors.MissingExtra("Ray", "ray").described == f"Ray is not installed. Run: {errors.pip_command('ray')}"


def constant_text(node: ast.expr) -> str:
    """Return the text of a string or f-string, with ``{}`` for values; empty for other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(constant_text(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return constant_text(node.left) + constant_text(node.right)
    return ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_are_not_empty_and_hints_are_sentences(path: Path) -> None:
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in TREE.keys() - {"MissingExtra"}:
            message = constant_text(node.args[0]) if node.args else "{}"
            hints = [constant_text(word.value) for word in node.keywords if word.arg == "hint"]
            if (message and message.endswith((" ", ":", ","))) or message.strip() in (".", "{}."):
                wrong.append(f"line {node.lineno}: message {message!r}")
            wrong += [f"line {node.lineno}: hint {hint!r}" for hint in hints if hint and not is_sentence(hint)]
    assert wrong == []


def is_sentence(hint: str) -> bool:
    return bool(re.match(r"[A-Z`{]", hint)) and hint.endswith((".", "?", "{}", "..."))


def raises(tree: ast.AST, docs: str = "", caught: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Yield line and name of each exception class raised, unless it is documented or caught in the same function."""
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
