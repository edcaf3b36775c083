"""``python:NAME``: the documentation of an installed package, or of the standard library (``python:stdlib``).

Each public object with a long docstring is a document. Short docstrings are collected in the document of their module.
The package's description is another document. The version is the fingerprint: an upgrade replaces all of them.
"""

from __future__ import annotations

import fnmatch
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions

from knet.errors import SourceError

from .base import Item, Text, patterns, positive_number, text_reader
from .docstrings import SKIPPED, DocstringEntry, Packages, is_public
from .live_docstrings import import_docstrings

LONG = 600  # characters of a docstring, about two chunks: longer ones are documents
MAX_LICENCE = 80  # characters; some packages put the whole text in the field
SIDE_EFFECTS = frozenset(
    {"antigravity", "ensurepip", "turtle", "nturtl2path"}
)  # importing them opens windows or browsers
_ALT = r"!\[(?:[^]!]|!(?!\[))*+\]"  # never beyond the next image, so that many that do not end take linear time
_ADDRESS = r"\((?:[^)!]|!(?!\[))*+\)"
_DECORATION = re.compile(  # badges, HTML tags
    rf"\[{_ALT}{_ADDRESS}\]{_ADDRESS}|{_ALT}{_ADDRESS}|</?[a-zA-Z][^<>]*+>"
)
_BLANK_LINES = re.compile(r"\n{3,}+")


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution: ``roots`` are the top-level names it installs."""

    name: str
    version: str
    licence: str
    description: str
    roots: list[str]

    @property
    def uri(self) -> str:
        return f"python:{self.name}=={self.version}"


class PythonSource:
    """The documentation of one package.

    ``limit`` keeps that many documents, the least deeply nested and longest; ``include`` holds patterns of public paths
    (``numpy.linalg.*, numpy.fft.*``).
    """

    def __init__(self, argument: str, *, limit: str = "", include: str = "") -> None:
        self.name = f"python:{argument}"
        self._package = find_package(argument)
        self._limit = positive_number(self.name, "limit", limit) if limit else sys.maxsize
        self._include = patterns(include)

    def items(self) -> Iterator[Item]:
        package = self._package
        documents = _documents(entries_of([root for root in package.roots if self._may_include(root)]))
        if self._include:
            documents = [document for document in documents if _matches(document.path, self._include)]
        elif package.description:
            documents.append(DocstringEntry("", "", package.description))
        if not documents:
            found = "matching docstrings" if self._include else "docstrings"
            raise SourceError(f"{self.name} has no {found}.")
        documents.sort(key=lambda entry: (entry.path.count("."), bool(entry.path), -len(entry.doc), entry.path))
        for entry in sorted(documents[: self._limit], key=lambda entry: entry.path):
            yield self._item(entry)

    def _may_include(self, root: str) -> bool:
        """Return whether a path under a top-level name can match; the standard library has hundreds of such names."""
        return not self._include or _matches(root, [pattern.partition(".")[0] for pattern in self._include])

    def _item(self, entry: DocstringEntry) -> Item:
        package = self._package
        title = entry.path or f"{package.name} {package.version}"
        text = Text(entry.doc, title, "text/markdown", package.licence)
        uri = f"{package.uri}#{entry.path}" if entry.path else package.uri
        return Item(uri=uri, fingerprint=package.version, title=title, reader=text_reader(text))


def _matches(path: str, include: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in include)


def entries_of(roots: list[str]) -> list[DocstringEntry]:
    """Return every documented public object of some top-level packages, each once."""
    found, unresolved = Packages(roots).public()
    entries = {entry.path: entry for entry in found}
    known = {entry.doc for entry in found}
    for entry in import_docstrings(unresolved) if unresolved else ():
        if entry.path not in entries and entry.doc not in known:
            entries[entry.path] = entry
            known.add(entry.doc)
    return list(entries.values())


def _documents(entries: list[DocstringEntry]) -> list[DocstringEntry]:
    """Return entries as documents: long ones unchanged, short ones collected under their module."""
    documents = []
    collected: dict[str, list[DocstringEntry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.path):
        if not entry.signature:
            collected[entry.path].insert(0, entry)
        elif len(entry.doc) < LONG:
            collected[entry.path.rpartition(".")[0]].append(entry)
        else:
            documents.append(DocstringEntry(entry.path, entry.signature, f"# {entry.path}\n\n{_body(entry)}"))
    for path, parts in collected.items():
        heads = [part for part in parts if part.path == path]
        rest = [f"## {part.path}\n\n{_body(part)}" for part in parts if part.path != path]
        documents.append(DocstringEntry(path, "", "\n\n".join([f"# {path}", *(head.doc for head in heads), *rest])))
    return documents


def _body(entry: DocstringEntry) -> str:
    return f"    {entry.signature}\n\n{entry.doc}"


def find_package(argument: str) -> Package:
    """Return the package that ``python:argument`` names, a distribution or an importable name. Raises SourceError."""
    if argument == "stdlib" or argument in sys.stdlib_module_names:
        names = sorted(sys.stdlib_module_names - SKIPPED - SIDE_EFFECTS) if argument == "stdlib" else [argument]
        roots = [name for name in names if is_public(name)]
        return Package("stdlib", platform.python_version(), "PSF-2.0", "", roots)
    installed = packages_distributions()
    try:
        found = distribution(argument)
    except (PackageNotFoundError, ValueError) as error:
        if argument not in installed:
            raise SourceError(
                f"Python package {argument!r} is not installed.", hint=f"Run: pip install {argument}"
            ) from error
        found = distribution(installed[argument][0])
    name = found.metadata["Name"]
    roots = sorted(root for root, owners in installed.items() if name in owners and root.isidentifier())
    roots = roots or [name.replace("-", "_")]  # an editable install lists no files
    return Package(name, found.version, _licence(found), _description(found), roots)


def _licence(found: Distribution) -> str:
    """Return the SPDX expression of a package, else its own short name of the licence."""
    fields = found.metadata.json
    named = str(fields.get("license_expression") or fields.get("license") or "")
    if named and "\n" not in named and len(named) <= MAX_LICENCE:
        return named
    classifiers = fields.get("classifier") or []
    return next((line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")), "")


def _description(found: Distribution) -> str:
    fields = found.metadata.json
    text = "\n\n".join(str(fields[name]).strip() for name in ("summary", "description") if fields.get(name))
    return _BLANK_LINES.sub("\n\n", _DECORATION.sub("", text))
