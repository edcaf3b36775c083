"""``folder:PATH``: the documents under a folder, of every supported format."""

from __future__ import annotations

import re
from pathlib import Path

from .base import Text
from .files import FilesSource, decode_text, first_heading
from .sandbox import POOL

MARKDOWN = (".md", ".markdown", ".mdx")
CONVERTED = {".html": ".html", ".htm": ".html", ".xhtml": ".html", ".pdf": ".pdf", ".docx": ".docx", ".ipynb": ".ipynb"}
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
SUFFIXES = frozenset({*PLAIN, *CONVERTED})
_UNDERLINED = re.compile(r"^(\S.*+)\n([=\-~^\"'*#+])\2{2,}+[^\S\n]*+$", re.MULTILINE)
_SPDX = re.compile(
    r"SPDX-License-Identifier:\s*+((?:(?!-->)[\w.+\-()]| ++(?=[\w.+\-()]))++)[^\S\n]*+(?:\*/|-->|$)", re.MULTILINE
)
MAX_LICENCE = 80  # characters of an SPDX expression
_SPDX_WITHIN = 2000  # characters; the tag is at the top of a file


def read_file(data: bytes, path: Path) -> Text:
    """Return the text of a file with these bytes, by the suffix of its path. Raises SourceError."""
    suffix = path.suffix.lower()
    if suffix in CONVERTED:
        return POOL.convert(CONVERTED[suffix], data, str(path))
    text = decode_text(data, str(path))
    return Text(text, _title(text, suffix), PLAIN[suffix], _licence(text))


class FolderSource(FilesSource):
    """Every document under a folder."""

    kind = "folder"
    suffixes = SUFFIXES
    read = staticmethod(read_file)


def _title(text: str, suffix: str) -> str:
    if suffix in MARKDOWN:
        return first_heading(text)
    if suffix == ".rst" and (match := _UNDERLINED.search(text)):
        return match[1].strip()
    return ""


def _licence(text: str) -> str:
    match = _SPDX.search(text[:_SPDX_WITHIN])
    found = match[1].strip() if match else ""
    return found if 2 <= len(found) <= MAX_LICENCE else ""
