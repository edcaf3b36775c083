"""Texts that programs wrote, as a reader sees them: mail, books, tables, subtitles, rich text, XML."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import unquote

from knet.errors import SourceError

from .archive import local, member, open_archive, parse_xml, table
from .base import Text
from .charset import decode
from .html import html_text
from .notes import Note

MAX_ROWS = 100_000
MAX_CHAPTERS = 5000
_CUE = re.compile(r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{3}\s*-->")
_TAG = re.compile(r"<[^<>]{0,200}>")
_RTF = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-f]{2})|\\([^a-z])|([{}])|([^\\{}\r\n]+)|[\r\n\\]", re.IGNORECASE
)
_RTF_SKIPPED = frozenset(
    {
        "fonttbl",
        "colortbl",
        "stylesheet",
        "info",
        "pict",
        "object",
        "header",
        "headerl",
        "headerr",
        "headerf",
        "footer",
        "footerl",
        "footerr",
        "footerf",
        "themedata",
        "colorschememapping",
        "datastore",
        "latentstyles",
        "listtable",
        "listoverridetable",
        "rsidtbl",
        "generator",
        "xmlnstbl",
        "fldinst",
        "nonshppict",
    }
)
_RTF_TEXT = {
    "par": "\n\n",
    "line": "\n",
    "tab": "\t",
    "cell": " | ",
    "row": "\n",
    "sect": "\n\n",
    "page": "\n\n",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "~": "\u00a0",
    "_": "-",
}


def eml_text(data: bytes, where: str, encoding: str = "") -> Text:
    """Return subject and body of a mail; attachments are counted. Raises SourceError."""
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    if not {"from", "to", "subject", "date", "message-id"} & {name.lower() for name in message}:
        raise SourceError(f"{where} is not a readable eml file (it has no header).")
    try:
        body = message.get_body(("plain", "html"))
        raw = body.get_payload(decode=True) if body is not None else b""
        charset = (body.get_content_charset() if body is not None else "") or encoding
        content = raw if isinstance(raw, bytes) else b""
        attached = sum(1 for _ in message.iter_attachments())
    except (KeyError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise SourceError(f"{where} is not a readable eml file ({error}).") from error
    if body is not None and body.get_content_type() == "text/html":
        text = html_text(content, where, charset)
    else:
        decoded = decode(content, where, stated=charset)
        text = Text(decoded.text, notes=decoded.notes)
    subject = " ".join(str(message.get("subject", "")).split())
    notes = (Note(kind="left_out", count=attached, detail="attachments"),) if attached else ()
    heading = f"# {subject}\n\n" if subject else ""
    return Text(heading + text.text.strip(), subject, "text/markdown", notes=(*text.notes, *notes))


def epub_text(data: bytes, where: str) -> Text:
    """Return the chapters of a book in order. Raises SourceError."""
    archive = open_archive(data, "epub", where)
    container = parse_xml(member(archive, "META-INF/container.xml", "epub", where), "epub", where)
    opf = next((element.get("full-path", "") for element in container.iter() if local(element.tag) == "rootfile"), "")
    package = parse_xml(member(archive, opf, "epub", where), "epub", where)
    title = next((element.text or "" for element in package.iter() if local(element.tag) == "title"), "")
    files = {element.get("id"): element.get("href", "") for element in package.iter() if local(element.tag) == "item"}
    order = [files.get(element.get("idref"), "") for element in package.iter() if local(element.tag) == "itemref"]
    parts, missing = [], 0
    for name in order[:MAX_CHAPTERS]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(opf), unquote(name.partition("#")[0])))
        try:
            parts.append(html_text(member(archive, path, "epub", where), where).text)
        except SourceError:
            missing += 1
    notes = (Note(kind="bad_pages", count=missing, detail="chapters"),) if missing else ()
    text = "\n\n".join(part for part in parts if part.strip())
    return Text(text, " ".join(title.split()), "text/markdown", notes=notes)


def csv_text(data: bytes, where: str, encoding: str = "") -> Text:
    """Return a table as Markdown. Raises SourceError."""
    decoded = decode(data, where, stated=encoding)
    sample = decoded.text[:20_000]
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(decoded.text), dialect)):
            if number >= MAX_ROWS:
                break
            rows.append(row)
    except csv.Error:
        return Text(decoded.text, notes=decoded.notes)
    if all(len(row) <= 1 for row in rows):
        return Text(decoded.text, notes=decoded.notes)
    return Text(table(rows), "", "text/markdown", notes=decoded.notes)


def vtt_text(data: bytes, where: str, encoding: str = "") -> Text:
    """Return the words of subtitles without their times. Raises SourceError."""
    decoded = decode(data, where, stated=encoding)
    lines: list[str] = []
    for block in decoded.text.replace("\r\n", "\n").split("\n\n"):
        parts = block.strip().split("\n")
        if parts[0].startswith(("NOTE", "STYLE", "REGION")):
            continue
        timed = next((number for number, part in enumerate(parts) if _CUE.match(part)), None)
        said = parts[timed + 1 :] if timed is not None else [part for part in parts if not part.startswith("WEBVTT")]
        for part in said:
            words = _TAG.sub("", part).strip()
            if words and words != (lines[-1] if lines else ""):
                lines.append(words)
    return Text("\n".join(lines), notes=decoded.notes)


def xml_text(data: bytes, where: str) -> Text:
    """Return the text of an XML document, a line for each element that holds text. Raises SourceError."""
    root = parse_xml(data, "xml", where)
    lines, title = [], ""
    for element in root.iter():
        words = " ".join((element.text or "").split())
        if words:
            lines.append(words)
            title = title or (words if local(element.tag) == "title" else "")
        tail = " ".join((element.tail or "").split())
        if tail:
            lines.append(tail)
    return Text("\n".join(lines), title[:300])


def rtf_text(data: bytes, where: str) -> Text:
    """Return the text of a rich text file, without hidden text. Raises SourceError."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise SourceError(f"{where} is not a readable rtf file (it does not begin as one).")
    parts: list[str] = []
    pending = bytearray()
    page = "cp1252"
    stack: list[tuple[bool, int, bool]] = []
    skipped, fallback, hidden, skip = False, 1, False, 0
    starts = False  # the group has just begun, and may be one to leave out

    def flush() -> None:
        if pending:
            parts.append(pending.decode(page, "replace"))
            pending.clear()

    for match in _RTF.finditer(data.decode("latin-1")):
        word, value, code, symbol, brace, text = match.groups()
        if brace == "{":
            stack.append((skipped, fallback, hidden))
            starts = True
            continue
        if brace == "}":
            if stack:
                flush()
                skipped, fallback, hidden = stack.pop()
            continue
        if symbol == "*":
            skipped = True
        elif word:
            lower = word.lower()
            if lower in _RTF_SKIPPED and starts:
                skipped = True
            elif lower == "ansicpg" and value:
                page = f"cp{value}" if _is_page(f"cp{value}") else page
            elif lower == "uc" and value:
                fallback = max(0, int(value))
            elif lower == "v":
                hidden = value != "0"
            elif lower == "u" and value and not skipped and not hidden:
                flush()
                parts.append(chr(int(value) % 0x10000))
                skip = fallback
            elif lower in _RTF_TEXT and not skipped and not hidden:
                flush()
                parts.append(_RTF_TEXT[lower])
        elif code and not skipped and not hidden:
            if skip:
                skip -= 1
            else:
                pending.append(int(code, 16))
        elif symbol and not skipped and not hidden:
            flush()
            parts.append(_RTF_TEXT.get(symbol, symbol if symbol in "\\{}" else ""))
        elif text and not skipped and not hidden:
            kept = text[skip:]
            skip = max(0, skip - len(text))
            pending.extend(kept.encode("latin-1"))
        starts = False
    flush()
    lines = "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Text(lines.strip())


def _is_page(name: str) -> bool:
    try:
        b"".decode(name)
    except LookupError:
        return False
    return True
