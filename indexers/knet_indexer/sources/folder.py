"""``folder:PATH``: the documents under a folder, whatever kinds it mixes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from .base import Item, Text, patterns
from .convert import docx_text, html_text, pdf_text
from .files import decode_text, existing_folder, file_items, first_heading
from .notebooks import read_notebook

MARKDOWN = (".md", ".markdown", ".mdx")
CONVERTERS: dict[str, Callable[[bytes, str], Text]] = {
    ".html": html_text,
    ".htm": html_text,
    ".xhtml": html_text,
    ".pdf": pdf_text,
    ".docx": docx_text,
}
CODE = {
    **dict.fromkeys((".py", ".pyi"), "text/x-python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "text/javascript"),
    **dict.fromkeys((".ts", ".tsx"), "text/x-typescript"),
    **dict.fromkeys((".c", ".h"), "text/x-c"),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp"), "text/x-c++"),
    **dict.fromkeys((".sh", ".bash"), "text/x-sh"),
    ".sol": "text/x-solidity",
    ".rs": "text/x-rust",
    ".go": "text/x-go",
    ".java": "text/x-java",
    ".kt": "text/x-kotlin",
    ".cs": "text/x-csharp",
    ".rb": "text/x-ruby",
    ".php": "text/x-php",
    ".swift": "text/x-swift",
    ".scala": "text/x-scala",
    ".r": "text/x-r",
    ".jl": "text/x-julia",
    ".lua": "text/x-lua",
    ".sql": "text/x-sql",
}
PLAIN = {
    **dict.fromkeys(MARKDOWN, "text/markdown"),
    **dict.fromkeys((".txt", ".text", ".org", ".adoc"), "text/plain"),
    **dict.fromkeys((".rst",), "text/x-rst"),
    **dict.fromkeys((".tex",), "text/x-tex"),
    **CODE,
}
SUFFIXES = frozenset({*PLAIN, *CONVERTERS, ".ipynb"})
_UNDERLINED = re.compile(r"^(\S.*)\n([=\-~^\"'*#+])\2{2,}\s*$", re.MULTILINE)
_SPDX = re.compile(r"SPDX-License-Identifier:\s*([\w.+\- ()]{2,80}?)\s*(?:\*/|-->|$)", re.MULTILINE)
_SPDX_WITHIN = 2000  # characters; the tag stands at the top of a file


class FolderSource:
    """Every document under a folder. ``base`` is what their uris begin with, ``exclude`` holds .gitignore patterns."""

    def __init__(self, argument: str, *, base: str = "", exclude: str = "") -> None:
        self.root = existing_folder(argument)
        self.name = f"folder:{self.root}"
        self._base = base or f"folder:{self.root.name}/"
        self._exclude = patterns(exclude)

    def items(self) -> Iterator[Item]:
        return file_items(self.root, SUFFIXES, self._base, self._exclude, read_file)


def read_file(path: Path) -> Text:
    """The text of one file by its suffix. Raises SourceError, or OSError when it is gone."""
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return read_notebook(path)
    if suffix in CONVERTERS:
        found = CONVERTERS[suffix](path.read_bytes(), str(path))
    else:
        text = decode_text(path.read_bytes(), str(path))
        found = Text(text, _title(text, suffix), PLAIN[suffix], _licence(text))
    return replace(found, title=found.title or path.name, modified=int(path.stat().st_mtime))


def _title(text: str, suffix: str) -> str:
    if suffix in MARKDOWN:
        return first_heading(text)
    if suffix == ".rst" and (match := _UNDERLINED.search(text)):
        return match[1].strip()
    return ""


def _licence(text: str) -> str:
    match = _SPDX.search(text[:_SPDX_WITHIN])
    return match[1].strip() if match else ""
