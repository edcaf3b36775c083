"""Public objects of Python packages and their docstrings, parsed from source files without an import.

A public object is defined or exported by a module without a leading underscore. An object that several modules export
has its shortest path. Compiled code is left to `knet_indexer.sources.live_docstrings`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

NOT_API = frozenset({"test", "tests", "conftest", "setup", "externals", "vendor"})
NOT_DOCUMENTED = frozenset({"idlelib", "lib2to3", "turtledemo", "pydoc_data", "this"})  # of the standard library
SKIPPED = NOT_API | NOT_DOCUMENTED  # anywhere in a path
MAX_SOURCE = 4 << 20  # bytes; larger files are generated tables that take seconds to parse

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class DocstringEntry:
    """One documented public object: its import path, its call signature, and its docstring."""

    path: str
    signature: str  # empty for a module
    doc: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Names of ``module`` that only an import can resolve; without ``names``, every public one."""

    module: str
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class Module:
    """One parsed source file."""

    name: str
    doc: str = ""
    defined: dict[str, Definition] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)  # local name to absolute path
    stars: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)  # the literal part of __all__
    computed: bool = False  # part of __all__ is not literal


class Packages:
    """The source files of some top-level packages, parsed when first needed."""

    def __init__(self, roots: list[str]) -> None:
        self._files: dict[str, Path | None] = {}  # None: compiled
        for root in roots:
            self._files.update(_files(root))
        self._names: dict[str, set[str]] = {}
        self.parse = cache(self._parse)

    def public(self) -> tuple[list[DocstringEntry], list[Unresolved]]:
        """Return every documented public object under its shortest path, and the names that need an import."""
        paths: dict[int, tuple[str, Definition]] = {}
        entries, unresolved = [], []
        for name in sorted(name for name in self._files if is_public(name)):
            module = self.parse(name)
            if module is None:
                unresolved.append(Unresolved(name))
                continue
            if module.doc:
                entries.append(DocstringEntry(name, "", module.doc))
            missing = []
            for exported in self._exports(module, set()):
                path = f"{name}.{exported}"
                found = self._resolve(path, set())
                if found is None:
                    missing.append(exported)
                elif isinstance(found, ast.AST):
                    paths[id(found)] = min(
                        (path, found), paths.get(id(found), (path, found)), key=lambda p: _rank(p[0])
                    )
            if missing or self._imports_compiled(module):
                unresolved.append(Unresolved(name, tuple(missing) if not self._imports_compiled(module) else ()))
        entries += [entry for path, node in paths.values() if (entry := _entry(path, node)).doc]
        return entries, unresolved

    def _parse(self, name: str) -> Module | None:
        path = self._files.get(name)
        if path is None:
            return None
        try:
            if path.stat().st_size > MAX_SOURCE:
                return Module(name)
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return Module(name)  # a template, or a file for another Python version
        module = Module(name, doc=ast.get_docstring(tree) or "")
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for node in _statements(tree.body):
            _collect(module, node, package)
        return module

    def _exports(self, module: Module, seen: set[str]) -> list[str]:
        """Return a module's public names: its literal ``__all__``, else its definitions and a package's re-exports."""
        if module.declared and not module.computed:
            return module.declared
        seen.add(module.name)
        names = dict.fromkeys([*module.declared, *module.defined])
        names |= {name: None for name, target in module.imported.items() if self._reexports(module, target)}
        for star in module.stars:
            source = self.parse(star)
            if source is not None and star not in seen:
                names |= dict.fromkeys(self._exports(source, seen))
        return [name for name in names if not name.startswith("_")]

    def _reexports(self, module: Module, target: str) -> bool:
        path = self._files.get(module.name)
        inside = target.startswith(f"{module.name.partition('.')[0]}.")
        return inside and target not in self._files and path is not None and path.stem == "__init__"

    def _imports_compiled(self, module: Module) -> bool:
        return any(self.parse(star) is None for star in module.stars if star in self._files)

    def _resolve(self, path: str, seen: set[str]) -> Definition | str | None:
        """Return the definition at a path, the path of a module or of something outside, or None without a source."""
        if path in self._files:
            return path
        if path in seen:
            return None
        seen.add(path)
        owner, _, name = path.rpartition(".")
        if owner not in self._files:
            return path if path.partition(".")[0] not in self._files else None
        module = self.parse(owner)
        if module is None:
            return None
        if name in module.defined:
            return module.defined[name]
        if name in module.imported:
            return self._resolve(module.imported[name], seen)
        found = (self._resolve(f"{star}.{name}", seen) for star in module.stars if name in self._bound(star))
        return next((target for target in found if target is not None), None)

    def _bound(self, name: str) -> set[str]:
        """Return every name that a module binds, including those of its star imports."""
        if name not in self._names:
            module = self.parse(name) or Module(name)
            names = self._names[name] = {*module.defined, *module.imported}  # set first: star imports may be circular
            names.update(*(self._bound(star) for star in module.stars if star in self._files))
        return self._names[name]


def is_public(path: str) -> bool:
    return not any(part.startswith("_") or part in SKIPPED for part in path.split("."))


def _rank(path: str) -> tuple[int, int, str]:
    return path.count("."), len(path), path


def _files(root: str) -> Iterator[tuple[str, Path | None]]:
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if not spec.submodule_search_locations:
        path = Path(spec.origin or "")
        yield root, path if path.suffix == ".py" else None
    for location in map(Path, spec.submodule_search_locations or ()):
        for folder, names, files in os.walk(location):
            names[:] = sorted(name for name in names if name.isidentifier() and name not in SKIPPED)
            package = (root, *Path(folder).relative_to(location).parts)
            for file in sorted(files):
                if found := _module_in(file):
                    parts = package if found == "__init__" else (*package, found)
                    yield ".".join(parts), Path(folder, file) if file.endswith(".py") else None


def _module_in(file: str) -> str:
    """Return the name of the module in a file, or ``""``."""
    for suffix in (".py", *EXTENSION_SUFFIXES):
        stem = file.removesuffix(suffix)
        if stem != file and stem.isidentifier() and stem not in SKIPPED:
            return stem
    return ""


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements at the top level of a module, including those inside conditions."""
    for node in body:
        yield node
        for block in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(node, block, []))


def _collect(module: Module, node: ast.stmt, package: str) -> None:
    if isinstance(node, Definition):
        _prune(node)
        module.defined.setdefault(node.name, node)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        source = ".".join([*above, *filter(None, [node.module])])
        for alias in node.names:
            if alias.name == "*":
                module.stars.append(source)
            else:
                module.imported[alias.asname or alias.name] = f"{source}.{alias.name}"
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr) and "__all__" in ast.unparse(node):
        names = _literal_names(node.value) if node.value else []
        module.declared += names
        module.computed |= not names


def _prune(node: Definition) -> None:
    """Drop the code of a definition: whole trees of a large package would make garbage collection quadratic."""
    if isinstance(node, ast.ClassDef):
        node.body = [part for part in node.body if isinstance(part, Definition) or part is node.body[0]]
        for part in node.body:
            if isinstance(part, Definition):
                _prune(part)
    else:
        node.body = node.body[:1]


def _literal_names(value: ast.expr) -> list[str]:
    if not isinstance(value, ast.List | ast.Tuple):
        return []
    return [item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]


def _entry(path: str, node: Definition) -> DocstringEntry:
    doc = ast.get_docstring(node) or ""
    if not isinstance(node, ast.ClassDef):
        return DocstringEntry(path, _call(path, node), doc)
    methods = [member for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)]
    made = next((method for method in methods if method.name == "__init__"), None)
    documented = [
        f"{_call(method.name, method)}\n\n{text}"
        for method in methods
        if not method.name.startswith("_") and (text := ast.get_docstring(method))
    ]
    return DocstringEntry(path, _call(path, made) if made else path, "\n\n".join(filter(None, [doc, *documented])))


def _call(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    arguments = ast.unparse(node.args)
    for first in ("self", "cls"):
        arguments = arguments.removeprefix(f"{first}, ") if arguments != first else ""
    return f"{name}({arguments})"
