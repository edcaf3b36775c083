"""``folder:PATH``: the documents under a folder, of every supported format."""

from __future__ import annotations

import re
from pathlib import Path

from knet.errors import SourceError

from .base import Text
from .charset import decode
from .files import FilesSource
from .sandbox import POOL
from .titles import MAX_TITLE, first_heading, plain, split_front_matter

MARKDOWN = (".md", ".markdown", ".mdx", ".qmd", ".rmd")
CONVERTED = {
    ".htm": ".html",
    ".xhtml": ".html",
    ".tsv": ".csv",
    ".srt": ".vtt",
    ".docm": ".docx",
    ".pptm": ".pptx",
    ".xlsm": ".xlsx",
    **{
        suffix: suffix
        for suffix in (
            ".html",
            ".pdf",
            ".docx",
            ".pptx",
            ".xlsx",
            ".odt",
            ".epub",
            ".rtf",
            ".eml",
            ".csv",
            ".vtt",
            ".xml",
            ".ipynb",
        )
    },
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
    **dict.fromkeys((".f", ".f90", ".f95", ".for"), "text/x-fortran"),
    ".ps1": "text/x-powershell",
    ".m": "text/x-matlab",
    ".pl": "text/x-perl",
    ".css": "text/css",
}
PLAIN = {
    **dict.fromkeys(MARKDOWN, "text/markdown"),
    **dict.fromkeys(("", ".txt", ".text", ".org", ".adoc", ".asciidoc", ".log"), "text/plain"),
    **dict.fromkeys((".rst",), "text/x-rst"),
    **dict.fromkeys((".tex",), "text/x-tex"),
    ".json": "application/json",
    **dict.fromkeys((".yaml", ".yml"), "application/yaml"),
    **dict.fromkeys((".toml", ".ini", ".cfg"), "text/plain"),
    **CODE,
}
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKED = frozenset({".docx", ".docm", ".pptx", ".pptm", ".xlsx", ".xlsm", ".odt", ".epub"})
_PACKED_MARKS = (
    (b"word/document.xml", ".docx"),
    (b"ppt/presentation.xml", ".pptx"),
    (b"xl/workbook.xml", ".xlsx"),
    (b"application/epub+zip", ".epub"),
    (b"application/vnd.oasis.opendocument.text", ".odt"),
)
SUFFIXES = frozenset({*PLAIN, *CONVERTED})
_UNDERLINED = re.compile(r"^(\S.*+)\n([=\-~^\"'*#+])\2{2,}+[^\S\n]*+$", re.MULTILINE)
_STATED = {
    ".org": re.compile(r"^#\+title:[^\S\n]*+(\S.{0,300})", re.IGNORECASE | re.MULTILINE),
    ".adoc": re.compile(r"^=[^\S\n]++(\S.{0,300})", re.MULTILINE),
    ".asciidoc": re.compile(r"^=[^\S\n]++(\S.{0,300})", re.MULTILINE),
    ".tex": re.compile(r"^\\title\{([^{}\n]{1,300})\}", re.MULTILINE),
}  # the statement of a title in each kind of text
_SPDX = re.compile(
    r"SPDX-License-Identifier:\s*+((?:(?!-->)[\w.+\-()]| ++(?=[\w.+\-()]))++)[^\S\n]*+(?:\*/|-->|$)", re.MULTILINE
)
MAX_LICENCE = 80  # characters of an SPDX expression
_SPDX_WITHIN = 2000  # characters; the tag is at the top of a file


def read_file(data: bytes, path: Path, encoding: str = "") -> Text:
    """Return the text of a file with these bytes, by its content and the suffix of its path. Raises SourceError."""
    where, suffix = str(path), kind_of(data, path.suffix.lower())
    if suffix in CONVERTED:
        return POOL.convert(CONVERTED[suffix], data, where, encoding=encoding)
    decoded = decode(data, where, stated=encoding)
    title, text = split_front_matter(decoded.text) if suffix in MARKDOWN else ("", decoded.text)
    title = title or _title(text, suffix)
    return Text(text, title, PLAIN[suffix], _licence(decoded.text), notes=decoded.notes)


def kind_of(data: bytes, suffix: str) -> str:
    """Return the suffix for the kind of a file by its first bytes, else the one that it has. Raises SourceError."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data.startswith(_OLD_OFFICE):
        raise SourceError("The file is of an old version of Office.", hint="Save it as docx, xlsx or pptx.")
    if b"%PDF-" in data[:1024] and suffix not in CODE:
        return ".pdf"
    if start.startswith(b"{\\rtf"):
        return ".rtf"
    if start.startswith(b"PK\x03\x04") and suffix not in _PACKED:
        return next((kind for mark, kind in _PACKED_MARKS if mark in data[:4096] or mark in data[-65536:]), suffix)
    if suffix in ("", ".txt") and start[:200].lower().startswith((b"<!doctype html", b"<html")):
        return ".html"
    if suffix == "" and start.startswith(b"#!") and b"python" in start[:80]:
        return ".py"
    return suffix


class FolderSource(FilesSource):
    """Every document under a folder."""

    kind = "folder"
    suffixes = SUFFIXES
    read = staticmethod(read_file)


def _title(text: str, suffix: str) -> str:
    if suffix in MARKDOWN:
        return first_heading(text)
    if suffix in _STATED:
        match = _STATED[suffix].search(text)
        return plain(match[1])[:MAX_TITLE] if match else ""
    if suffix == ".rst" and (match := _UNDERLINED.search(text)):
        return match[1].strip()
    return ""


def _licence(text: str) -> str:
    match = _SPDX.search(text[:_SPDX_WITHIN])
    found = match[1].strip() if match else ""
    return found if 2 <= len(found) <= MAX_LICENCE else ""
