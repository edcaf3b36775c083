"""Documents of office programs as Markdown: Word, PowerPoint, Excel, OpenDocument text."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from typing import Any
from xml.etree.ElementTree import Element, tostring

from knet.errors import KnetError, MissingExtra, SourceError

from .archive import local, member, open_archive, parse_xml, table, unreadable
from .base import Text
from .notes import Note
from .titles import first_heading

MAX_ROWS = 100_000  # of a sheet
MAX_COLUMNS = 500
_DROPPED = {"del", "moveFrom", "instrText", "delText"}  # of a Word file: removed text, and text where it was before
_UNWRAPPED = {"ins", "moveTo"}
_CELL = re.compile(r"([A-Z]{1,3})\d{1,7}")
_NUMBER = re.compile(r"\d{1,6}")
_SLIDE = re.compile(r"ppt/slides/slide\d{1,6}\.xml")


def docx_text(data: bytes, where: str) -> Text:
    """Return a Word document as Markdown, without hidden and removed text. Raises SourceError."""
    archive = open_archive(data, "docx", where)
    hidden = [0]
    try:
        visible = _visible_docx(archive, hidden, where)
        markdown = _markitdown("DocxConverter", visible, ".docx")
    except (MemoryError, KnetError):
        raise
    except Exception as error:  # parsers of damaged files raise errors of any type
        raise unreadable(error, "docx", where) from error
    notes = (Note(kind="hidden_text", count=hidden[0]),) if hidden[0] else ()
    return Text(markdown, first_heading(markdown), "text/markdown", notes=notes)


def _markitdown(converter: str, data: bytes, suffix: str) -> str:
    try:
        from markitdown import StreamInfo, converters
    except ImportError as error:
        raise MissingExtra("markitdown", "node") from error
    info = StreamInfo(extension=suffix, charset="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # markitdown warns of deeply nested pages, and still returns their text
        found: Any = getattr(converters, converter)().convert(io.BytesIO(data), info)
    return str(found.markdown)


def _visible_docx(archive: zipfile.ZipFile, hidden: list[int], where: str) -> bytes:
    """Return the Word file without hidden, removed and moved-away text; ``hidden`` counts the hidden runs."""
    styles = set()
    if "word/styles.xml" in archive.namelist():
        for style in parse_xml(member(archive, "word/styles.xml", "docx", where), "docx", where):
            if any(_is_on(element) for element in style.iter() if local(element.tag) == "vanish"):
                styles |= {value for key, value in style.attrib.items() if local(key) == "styleId"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as rewritten:
        for name in archive.namelist():
            content = member(archive, name, "docx", where)
            if name.startswith("word/") and name.endswith(".xml") and name != "word/styles.xml":
                root = parse_xml(content, "docx", where)
                _prune(root, styles, hidden)
                content = tostring(root, "utf-8", xml_declaration=True)
            rewritten.writestr(name, content)
    return out.getvalue()


def _prune(root: Element, styles: set[str], hidden: list[int]) -> None:
    todo = [root]
    while todo:
        element = todo.pop()
        kept: list[Element] = []
        for child in element:
            name = local(child.tag)
            if name in _DROPPED:
                continue
            if name in ("r", "p") and _is_hidden(child, styles):
                hidden[0] += any(local(part.tag) == "t" and part.text for part in child.iter())
                if name == "r":
                    continue
                for run in [part for part in child if local(part.tag) != "pPr"]:
                    child.remove(run)
            kept += list(child) if name in _UNWRAPPED else [child]
        element[:] = kept
        todo += kept


def _is_hidden(element: Element, styles: set[str]) -> bool:
    """Tell if a run, or every run of a paragraph by its style, is hidden."""
    for properties in element:
        if local(properties.tag) not in ("rPr", "pPr"):
            continue
        for part in properties:
            name = local(part.tag)
            if name in ("vanish", "specVanish") and local(element.tag) == "r":
                return _is_on(part)
            if name in ("rStyle", "pStyle") and any(value in styles for value in part.attrib.values()):
                return True
    return False


def _is_on(element: Element) -> bool:
    return not any(local(key) == "val" and value in ("0", "false", "off") for key, value in element.attrib.items())


def pptx_text(data: bytes, where: str) -> Text:
    """Return the slides of a presentation and their notes as Markdown. Raises SourceError."""
    archive = open_archive(data, "pptx", where)
    names = [name for name in archive.namelist() if _SLIDE.fullmatch(name)]
    if not names:
        raise SourceError(f"{where} is not a readable pptx file (it holds no slides).")
    parts: list[str] = []
    empty = []
    for number, name in enumerate(sorted(names, key=_number), 1):
        root = parse_xml(member(archive, name, "pptx", where), "pptx", where)
        if root.get("show") == "0":
            continue
        lines = _slide(root)
        notes = f"ppt/notesSlides/notesSlide{_number(name)}.xml"
        if notes in archive.namelist():
            lines += [
                line
                for line in _slide(parse_xml(member(archive, notes, "pptx", where), "pptx", where))
                if not line.strip("# ").isdigit()
            ]
        parts += lines
        empty += [] if lines else [number]
    text = "\n\n".join(parts)
    told = (
        (Note(kind="empty_pages", count=len(empty), detail="slides " + ", ".join(map(str, empty[:20]))),)
        if empty
        else ()
    )
    return Text(text, first_heading(text), "text/markdown", notes=told)


def _number(name: str) -> int:
    return int(_NUMBER.findall(name)[-1])


def _slide(root: Element) -> list[str]:
    parts: list[str] = []
    for shape in root.iter():
        name = local(shape.tag)
        if name == "tbl":
            parts.append(
                table(
                    [
                        [_paragraphs(cell, " ") for cell in row if local(cell.tag) == "tc"]
                        for row in shape
                        if local(row.tag) == "tr"
                    ]
                )
            )
        elif name == "sp":
            kinds = {part.get("type") for part in shape.iter() if local(part.tag) == "ph"}
            text = _paragraphs(shape, "\n")
            if text and not kinds & {"sldNum", "dt", "ftr"}:
                parts.append(f"## {' '.join(text.split())}" if kinds & {"title", "ctrTitle"} else text)
    return [part for part in parts if part]


def _paragraphs(shape: Element, joint: str) -> str:
    lines = (
        "".join(
            (part.text or "") if local(part.tag) == "t" else " " * (local(part.tag) == "br")
            for part in paragraph.iter()
        )
        for paragraph in shape.iter()
        if local(paragraph.tag) == "p"
    )
    return joint.join(line.strip() for line in lines if line.strip())


def xlsx_text(data: bytes, where: str) -> Text:
    """Return the visible sheets of a workbook as Markdown tables. Raises SourceError."""
    archive = open_archive(data, "xlsx", where)
    workbook = parse_xml(member(archive, "xl/workbook.xml", "xlsx", where), "xlsx", where)
    links = parse_xml(member(archive, "xl/_rels/workbook.xml.rels", "xlsx", where), "xlsx", where)
    targets = {link.get("Id"): (link.get("Target") or "").removeprefix("/xl/") for link in links}
    shared: list[str] = []
    if "xl/sharedStrings.xml" in archive.namelist():
        strings = parse_xml(member(archive, "xl/sharedStrings.xml", "xlsx", where), "xlsx", where)
        shared = [_string(entry) for entry in strings]
    parts, left_out = [], 0
    for sheet in (element for element in workbook.iter() if local(element.tag) == "sheet"):
        target = next((targets.get(value) for key, value in sheet.attrib.items() if local(key) == "id"), None)
        if sheet.get("state", "visible") != "visible" or not target:
            left_out += 1
            continue
        rows = _rows(parse_xml(member(archive, f"xl/{target}", "xlsx", where), "xlsx", where), shared)
        if any(map(any, rows)):
            parts.append(f"## {sheet.get('name', '')}\n\n{table(rows)}")
    notes = (Note(kind="hidden_text", count=left_out, detail="hidden sheets"),) if left_out else ()
    return Text("\n\n".join(parts), "", "text/markdown", notes=notes)


def _string(entry: Element) -> str:
    return "".join(part.text or "" for part in entry.iter() if local(part.tag) == "t")


def _rows(sheet: Element, shared: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in sheet.iter():
        if local(row.tag) != "row":
            continue
        cells: list[str] = []
        for cell in row:
            match = _CELL.fullmatch(cell.get("r", ""))
            column = _column(match[1]) if match else len(cells)
            if column < MAX_COLUMNS:
                cells += [""] * (column + 1 - len(cells))
                cells[column] = _value(cell, shared)
        rows.append(cells)
        if len(rows) >= MAX_ROWS:
            break
    return rows


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _value(cell: Element, shared: list[str]) -> str:
    value = next((part.text or "" for part in cell if local(part.tag) == "v"), "")
    if cell.get("t") == "s":
        return shared[int(value)] if value.isdecimal() and int(value) < len(shared) else ""
    return _string(cell) if cell.get("t") == "inlineStr" else value


def odt_text(data: bytes, where: str) -> Text:
    """Return an OpenDocument text as Markdown. Raises SourceError."""
    archive = open_archive(data, "odt", where)
    root = parse_xml(member(archive, "content.xml", "odt", where), "odt", where)
    parts: list[str] = []
    todo = [root]
    while todo:
        element = todo.pop()
        name = local(element.tag)
        if name == "h":
            level = next((value for key, value in element.attrib.items() if local(key) == "outline-level"), "1")
            parts.append("#" * min(6, int(level) if level.isdecimal() else 1) + " " + _odt_line(element))
        elif name == "p":
            parts.append(_odt_line(element))
        elif name == "table":
            rows = [row for row in element.iter() if local(row.tag) == "table-row"]
            parts.append(table([[_odt_line(cell) for cell in row if local(cell.tag) == "table-cell"] for row in rows]))
        elif name not in ("tracked-changes", "annotation"):
            todo += reversed(list(element))
    text = "\n\n".join(part for part in parts if part.strip("# "))
    return Text(text, first_heading(text), "text/markdown")


def _odt_line(element: Element) -> str:
    """Return the text of a paragraph in one line; a footnote in brackets."""
    parts: list[str] = []

    def walk(node: Element, depth: int) -> None:
        name = local(node.tag)
        if name in ("annotation", "note-citation") or depth > 200:
            return
        parts.append({"s": " ", "tab": " ", "line-break": " ", "note": " ("}.get(name, "") + (node.text or ""))
        for child in node:
            walk(child, depth + 1)
            parts.append(child.tail or "")
        if name == "note":
            parts.append(")")

    walk(element, 0)
    return " ".join("".join(parts).split())
