"""Zip archives that hold documents, opened with limits, and their XML."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from xml.etree.ElementTree import Element, ParseError

from knet.errors import SourceError

MAX_UNPACKED = 256 << 20  # bytes of a zip archive's members; the limit of memory holds besides
MAX_MEMBERS = 10_000
MAX_RATIO = 100  # of a large archive's unpacked size to its size; XML of documents has about 10
DAMAGED = (  # raised by zipfile and its decompressors, of which it documents only the first
    zipfile.BadZipFile,
    KeyError,  # no such member
    RuntimeError,  # encrypted; NotImplementedError: an unknown compression
    zlib.error,
    lzma.LZMAError,
    OSError,  # of bz2
    EOFError,
    ValueError,
)


def open_archive(data: bytes, suffix: str, where: str) -> zipfile.ZipFile:
    """Open a zip archive. Raises SourceError for one that is damaged or unpacks to too much.

    Members never exceed the size that the archive states.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except DAMAGED as error:
        raise unreadable(error, suffix, where) from error
    sizes = [member.file_size for member in archive.infolist()]
    unpacked = sum(sizes)
    if len(sizes) > MAX_MEMBERS or unpacked > min(MAX_UNPACKED, max(16 << 20, MAX_RATIO * len(data))):
        raise SourceError(
            f"{where} unpacks to {len(sizes)} files of {unpacked >> 20} MiB.", hint="Save it in another format."
        )
    return archive


def unreadable(error: Exception, suffix: str, where: str) -> SourceError:
    """Return the error of a file that its parser refused."""
    name = type(error).__name__
    if "Password" in name or "Encrypt" in name or "password" in str(error):
        return SourceError(f"{where} is encrypted.", hint="Save a copy without a password, or leave it out.")
    reason = str(error).partition("\n")[0][:200]
    return SourceError(f"{where} is not a readable {suffix} file ({name}: {reason}).")


def parse_xml(data: bytes, suffix: str, where: str) -> Element:
    """Return the root of an XML document without entities of its own. Raises SourceError."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise unreadable(error, suffix, where) from error
    return root


def member(archive: zipfile.ZipFile, name: str, suffix: str, where: str) -> bytes:
    """Return a member of an archive. Raises SourceError where it is missing or damaged."""
    try:
        return archive.read(name)
    except DAMAGED as error:
        raise unreadable(error, suffix, where) from error


def local(tag: object) -> str:
    """Return the name of an element without its namespace."""
    return str(tag).rpartition("}")[2]


def table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table, the first as its header; empty rows and columns at the end are left out."""
    rows = [row for row in rows if any(row)]
    if not rows:
        return ""
    width = max(max((number + 1 for number, cell in enumerate(row) if cell), default=0) for row in rows)
    lines = [
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in (row + [""] * width)[:width]) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
