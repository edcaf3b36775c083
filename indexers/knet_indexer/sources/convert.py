"""Conversion of HTML and Word files to text by markitdown, which is imported at the first conversion.

`knet_indexer.sources.sandbox` calls it in a child process with limits of time and memory.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

from knet.errors import MissingExtra, SourceError

from .base import Text
from .files import first_heading

MAIN = "main, [role=main], article"  # the text of a page in HTML5, Sphinx, MkDocs and Docusaurus
BOILERPLATE = "script, style, noscript, template, svg, nav, header, footer, aside, form, a.headerlink"
MAX_DEPTH = 10_000  # elements within each other: far more than pages have, and some take time by its square
MAX_UNPACKED = 256 << 20  # bytes of a zip archive's members; the limit of memory holds besides
MAX_MEMBERS = 10_000
MAX_RATIO = 100  # of a large archive's unpacked size to its size; XML of documents has about 10


def html_text(data: bytes, where: str) -> Text:
    """Return the main part of a page as Markdown. Raises SourceError."""
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a page that looks like XML or like an address is fine
        soup = BeautifulSoup(data, "html.parser")
    _check_depth(soup, where)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    main = soup.select_one(MAIN) or soup.body or soup
    for element in main.select(BOILERPLATE):
        element.decompose()
    markdown = _convert("HtmlConverter", str(main).encode(), ".html", where)
    return Text(markdown, first_heading(markdown) or title, "text/markdown")


def docx_text(data: bytes, where: str) -> Text:
    """Return a Word document as Markdown. Raises SourceError."""
    _check_archive(data, where)
    markdown = _convert("DocxConverter", data, ".docx", where)
    return Text(markdown, first_heading(markdown), "text/markdown")


def _check_depth(soup: Any, where: str) -> None:
    """Raise SourceError for a page whose elements nest too deep."""
    depths = {id(soup): 0}
    for element in soup.descendants:
        depth = depths[id(element)] = depths[id(element.parent)] + 1
        if depth > MAX_DEPTH:
            raise SourceError(f"{where} nests more than {MAX_DEPTH} elements.", hint="Leave it out.")


def _check_archive(data: bytes, where: str) -> None:
    """Raise SourceError for a zip archive that is damaged or unpacks to too much; members never exceed their size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = [member.file_size for member in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _unreadable(error, ".docx", where) from error
    unpacked = sum(sizes)
    if len(sizes) > MAX_MEMBERS or unpacked > min(MAX_UNPACKED, max(16 << 20, MAX_RATIO * len(data))):
        raise SourceError(
            f"{where} unpacks to {len(sizes)} files of {unpacked >> 20} MiB.", hint="Save it in another format."
        )


def _convert(converter: str, data: bytes, suffix: str, where: str) -> str:
    try:
        from markitdown import StreamInfo, converters
    except ImportError as error:
        raise MissingExtra("markitdown", "node") from error
    info = StreamInfo(extension=suffix, charset="utf-8")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # markitdown warns of deeply nested pages, and still returns their text
            found: Any = getattr(converters, converter)().convert(io.BytesIO(data), info)
    except MemoryError:
        raise
    except Exception as error:  # parsers of damaged files raise errors of any type
        raise _unreadable(error, suffix, where) from error
    return str(found.markdown)


def _unreadable(error: Exception, suffix: str, where: str) -> SourceError:
    name = type(error).__name__
    if "Password" in name or "Encrypt" in name:
        return SourceError(f"{where} is encrypted.", hint="Save a copy without a password, or leave it out.")
    reason = str(error).partition("\n")[0][:200]
    return SourceError(f"{where} is not a readable {suffix[1:]} file ({name}: {reason}).")
