"""Work on foreign text is linear: every regular expression of the product, by counted steps.

Threat model: node, a text that makes a pattern backtrack; document, the same.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from .regex_steps import MAX_STEPS, StepCounter, TooManySteps, alphabet, as_text, pumped

ROOT = Path(__file__).parent.parent
PRODUCT = ("knet", "indexers/knet_indexer", "jupyter_ext/knet_jupyter")
METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
SIZE = 48
SHORT = {"knet_indexer.ingest.secret_scan._RULES[4]"}  # the repeat that overlaps is of 400 characters at most
LINEAR = 2.5  # most that twice the text may cost; quadratic work costs 4 times as much


@cache
def sources() -> dict[str, ast.Module]:
    """Return the parsed modules of the product that name `re`, by import path."""
    found = {}
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to((ROOT / folder).parent).with_suffix("").parts).removesuffix(".__init__")
            text = path.read_text(encoding="utf-8")
            if "static" not in path.parts and re.search(r"\bre\.", text):
                found[name] = ast.parse(text)
    return found


def compiled() -> dict[str, re.Pattern[Any]]:
    """Return every compiled pattern of the product by its full name: constants, and results of cached functions."""
    found: dict[str, re.Pattern[Any]] = {}
    for name, tree in sources().items():
        module = importlib.import_module(name)
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and compiles(node)}
        for key, value in vars(module).items():
            if key in functions:
                value = value()
            for number, pattern in enumerate(patterns_in(value)):
                found[f"{name}.{key}" + f"[{number}]" * (value is not pattern)] = pattern
    return found


def compiles(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.Call) and ast.unparse(n.func) == "re.compile" for n in ast.walk(statement))


def patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """Yield the patterns that a constant is or holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from patterns_in(part)


@cache
def methods() -> dict[str, set[str]]:
    """Return the methods that the product calls on each pattern; the names of public ones are without their module."""
    used: dict[str, set[str]] = {}
    for module, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                owner = node.value.func if isinstance(node.value, ast.Call) else node.value
                owner = owner.value if isinstance(owner, ast.Subscript) else owner
                if isinstance(owner, ast.Name | ast.Attribute):
                    name = owner.id if isinstance(owner, ast.Name) else owner.attr
                    used.setdefault(f"{module}.{name}" if name.startswith("_") else name, set()).add(node.attr)
    return used


PATTERNS = compiled()


def test_every_pattern_is_a_compiled_constant() -> None:
    """Patterns in calls such as ``re.sub(r"...", ...)`` would escape the other tests."""
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                inline = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
                assert not inline, f"{name}, line {node.lineno}: compile the pattern as a constant of the module"
            if isinstance(node, ast.ImportFrom):
                assert node.module != "re", f"{name}: import re, so that its patterns are found"


def test_every_compilation_is_among_the_checked_patterns() -> None:
    for module, tree in sources().items():
        for statement in tree.body:
            if not compiles(statement):
                continue
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement]
            name = f"{module}.{getattr(targets[0], 'id', getattr(targets[0], 'name', '?'))}"
            assert any(known.partition("[")[0] == name for known in PATTERNS), f"{name} is not checked"


def steps(pattern: re.Pattern[Any], text: str, anchored: bool) -> int:
    counter = StepCounter(pattern, as_text(text))
    try:
        return counter.match_once() if anchored else counter.search_all()
    except TooManySteps:
        return MAX_STEPS


def attacks(pattern: re.Pattern[Any], count: int) -> list[str]:
    """Return repeated characters and pairs of them, and texts made for the pattern's own repeats."""
    letters = alphabet(pattern)[:16]
    units = [*letters, *map("".join, product(letters[:8], repeat=2))]
    runs = [unit * (count // len(unit)) for unit in units]
    made = list(pumped(pattern, count))
    many = list(pumped(pattern, 2))
    ends = ["", *letters[:6]]
    return [
        *(run + end for run in runs for end in ("", "\0", "x")),
        *(text + end for text in made for end in (*ends, "\0x")),
        *(text * (count // 4) for text in many),
        *(text[:-1] * (count // 4) for text in many),
    ]


@pytest.mark.parametrize("name", sorted(PATTERNS.keys() - SHORT))
def test_pattern_takes_linear_steps(name: str) -> None:
    pattern = PATTERNS[name]
    used = methods().get(name) or methods().get(name.rpartition(".")[2]) or {"search"}
    anchored = used <= {"match", "fullmatch"}
    sys.setrecursionlimit(20_000)
    size = SIZE if len(pattern.pattern) < 200 else SIZE // 3  # long alternatives take many steps a character
    for short, long in zip(attacks(pattern, size), attacks(pattern, 2 * size), strict=True):
        few, many = steps(pattern, short, anchored), steps(pattern, long, anchored)
        assert many <= LINEAR * few + 200, f"{few} steps for {short!r}, {many} for twice as much"


@pytest.mark.parametrize(
    "quadratic",
    [r"[^\n]*\S[^\n]*", r"[.!?]+[\"]*(?=\s)", r"(\w+\s?)*x", r"!\[[^]]*\]\([^)]*\)", r"\s+([.!?])", r"a.*b"],
)
def test_quadratic_pattern_is_found(quadratic: str) -> None:
    pattern = re.compile(quadratic)
    pairs = zip(attacks(pattern, SIZE), attacks(pattern, 2 * SIZE), strict=True)
    assert any(steps(pattern, long, False) > LINEAR * steps(pattern, short, False) + 200 for short, long in pairs)
