"""Conversion of HTML, PDF and Word files to text by markitdown, which is imported at the first conversion."""

from __future__ import annotations

import io
import warnings
from typing import Any

from knet.errors import MissingExtra, SourceError

from .base import Text
from .files import first_heading

MAIN = "main, [role=main], article"  # the text of a page in HTML5, Sphinx, MkDocs and Docusaurus
BOILERPLATE = "script, style, noscript, template, svg, nav, header, footer, aside, form, a.headerlink"


def html_text(data: bytes, where: str) -> Text:
    """Return the main part of a page as Markdown. Raises SourceError."""
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a page that looks like XML or like an address is fine
        soup = BeautifulSoup(data, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    main = soup.select_one(MAIN) or soup.body or soup
    for element in main.select(BOILERPLATE):
        element.decompose()
    markdown = _convert("HtmlConverter", str(main).encode(), ".html", where)
    return Text(markdown, first_heading(markdown) or title, "text/markdown")


def pdf_text(data: bytes, where: str) -> Text:
    """Return the text layer of a PDF. Raises SourceError, also for one that is encrypted or holds only pictures."""
    text = _convert("PdfConverter", data, ".pdf", where)
    if not text.strip():
        raise SourceError(f"{where} holds no text.", hint="If its pages are scans, run OCR over it first.")
    return Text(text, _pdf_title(data))


def docx_text(data: bytes, where: str) -> Text:
    """Return a Word document as Markdown. Raises SourceError."""
    markdown = _convert("DocxConverter", data, ".docx", where)
    return Text(markdown, first_heading(markdown), "text/markdown")


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
    except Exception as error:  # parsers of damaged files raise errors of any type
        raise _unreadable(error, suffix, where) from error
    return str(found.markdown)


def _unreadable(error: Exception, suffix: str, where: str) -> SourceError:
    name = type(error).__name__
    if "Password" in name or "Encrypt" in name:
        return SourceError(f"{where} is encrypted.", hint="Save a copy without a password, or leave it out.")
    reason = str(error).partition("\n")[0][:200]
    return SourceError(f"{where} is not a readable {suffix[1:]} file ({name}: {reason}).")


def _pdf_title(data: bytes) -> str:
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfparser import PDFParser
    from pdfminer.utils import decode_text

    for info in PDFDocument(PDFParser(io.BytesIO(data))).info:
        if isinstance(title := info.get("Title"), bytes):
            return decode_text(title).strip()
    return ""
