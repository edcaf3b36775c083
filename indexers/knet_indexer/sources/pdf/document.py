"""The document that the pages of a PDF make: its paragraphs without running heads, its headings, its title."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from knet.errors import MissingExtra, SourceError

from ..base import Text
from ..notes import Note, NoteKind
from .blocks import PdfBlock, blocks_of
from .layout import in_rows, regions
from .runs import read_runs

CPU_SECONDS = 45.0  # of all pages; the child process has 60
MAX_PAGES = 10_000
MAX_UNMAPPED = 0.3  # share of characters without a Unicode map, beyond which the rest of a page is not text either
HEADING = 1.12  # times the size of the body
MAX_HEADING = 160  # characters
EDGE = 0.14  # of the height of a page, at its top and at its bottom, where running heads stand
NEAR = 4  # pages on each side, which have the same running heads
MAX_PART = 40  # characters of a part of a divided word
MIN_TITLE, MAX_TITLE = 3, 300  # characters

_WORD = re.compile(r"[^\W\d_]++(?:-[^\W\d_]++)*+")
_NUMBER = re.compile(r"\d++")
_ROMAN = re.compile(r"[ivxlc]{1,7}")
_SECTION = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4}|[A-Z](?:\.\d{1,2}){1,4})\.?\s+\S")
_NOT_A_TITLE = re.compile(
    r"microsoft (?:word|powerpoint|excel)\b|(?:untitled|unknown|document|presentation|slide|title|print|doc)\W*\d*$"
    r"|\(?anonymous|powerpoint presentation"
    r"|.{0,200}\.(?:docx?|pptx?|xlsx?|tex|dvi|ps|pdf|indd|qxd|odt|rtf|html?|md|txt|fm|ai)$",
    re.IGNORECASE,
)


class _Page(NamedTuple):
    number: int
    blocks: list[PdfBlock]
    across: list[PdfBlock]  # those of `blocks` that run in another direction than most
    height: float
    top: float


class _Part(NamedTuple):
    """A paragraph, heading, table or piece of code of a page."""

    text: str
    page: int
    kind: str


def pdf_text(data: bytes, where: str) -> Text:
    """Return the text layer of a PDF, page by page, as Markdown.

    Raises SourceError for a file that is encrypted, damaged, or has no text at all.
    """
    try:
        import pypdfium2 as pdfium
    except ImportError as error:
        raise MissingExtra("pypdfium2", "node") from error
    try:
        document = pdfium.PdfDocument(data)
        count = len(document)
    except pdfium.PdfiumError as error:
        raise _unreadable(error, where) from error
    try:
        pages, notes = _pages(document, count)
        body = _body_size(pages)
        _drop_running(pages, body)
        parts = list(_parts(pages, body))
        if not parts:
            raise SourceError(f"{where} holds no text.", hint="If its pages are scans, run OCR over it first.")
        title = _title(document.get_metadata_dict().get("Title", "")) or _printed_title(pages, body)
    finally:
        document.close()
    return Text(_mended("\n\n".join(part.text for part in parts)), title, "text/markdown", notes=tuple(notes))


def _unreadable(error: Exception, where: str) -> SourceError:
    if "assword" in str(error) or "ecurity" in str(error):
        return SourceError(f"{where} is encrypted.", hint="Save a copy without a password, or leave it out.")
    return SourceError(f"{where} is not a readable pdf file ({error}).")


def _pages(document: Any, count: int) -> tuple[list[_Page], list[Note]]:
    pages: list[_Page] = []
    told: dict[NoteKind, list[int]] = {"empty_pages": [], "bad_pages": [], "left_out": []}
    started = time.process_time()
    has_form = document.get_formtype() != 0
    for index in range(count):
        if time.process_time() - started > CPU_SECONDS or index >= MAX_PAGES:
            told["left_out"] += range(index + 1, count + 1)
            break
        try:
            page, unmapped = _read_page(document, index, has_form)
        except Exception:  # pdfium's errors, and those of damaged values: they concern this page alone
            told["bad_pages"].append(index + 1)
            continue
        if unmapped > MAX_UNMAPPED:
            told["bad_pages"].append(index + 1)
        elif page.blocks:
            pages.append(page)
        else:
            told["empty_pages"].append(index + 1)
    notes = [Note(kind=kind, count=len(found), detail=_numbers(found)) for kind, found in told.items() if found]
    return pages, notes


def _numbers(pages: Sequence[int]) -> str:
    """Return page numbers for a person: ``p. 2-4, 7``."""
    ranges: list[list[int]] = []
    for page in pages:
        if ranges and page == ranges[-1][1] + 1:
            ranges[-1][1] = page
        else:
            ranges.append([page, page])
    shown = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges[:20])
    return f"p. {shown}" + (", ..." if len(ranges) > 20 else "")


def _read_page(document: Any, index: int, has_form: bool) -> tuple[_Page, float]:
    page = document[index]
    try:
        if has_form:
            page = _flat(document, page, index)
        found = read_runs(page)
        _, bottom, _, top = page.get_bbox()
    finally:
        page.close()
    if has_form:  # the values of its fields come last in the file
        found = found._replace(by_angle={angle: in_rows(runs) for angle, runs in found.by_angle.items()})
    layers = sorted(found.by_angle.items(), key=lambda layer: -sum(len(run.text) for run in layer[1]))
    blocks = [[block for region in regions(runs) for block in blocks_of(region) if block.text] for _, runs in layers]
    across = [block for layer in blocks[1:] for block in layer]
    return _Page(index, [*(blocks[0] if blocks else []), *across], across, top - bottom, -top), found.unmapped


def _flat(document: Any, page: Any, index: int) -> Any:
    """Return the page with the values of its form fields as text."""
    import pypdfium2.raw as pdfium

    if pdfium.FPDFPage_Flatten(page.raw, 0) != 1:
        return page
    page.close()
    return document[index]


def _body_size(pages: Sequence[_Page]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for block in page.blocks:
            for line in block.lines:
                sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 1.0


# --- running heads -----------------------------------------------------------------------------------------------


def _drop_running(pages: list[_Page], body: float) -> None:
    """Drop lines at the edges of pages that pages near them have too, but for their numbers; a watermark as well."""
    edges = [[(_key(block), block) for block in _edges(page, body)] for page in pages]
    keys = [{key for key, _ in found} for found in edges]
    for number, page in enumerate(pages):
        near = [keys[other] for other in range(max(0, number - NEAR), min(len(pages), number + NEAR + 1))]
        dropped = set()
        for key, block in edges[number]:
            shared = sum(key in found for found in near) - 1
            is_small = block.size < 0.95 * body or _is_number(key) or len(pages) == 3
            if shared >= 2 or (shared and is_small):
                dropped.add(id(block))
        page.blocks[:] = [block for block in page.blocks if id(block) not in dropped]


def _edges(page: _Page, body: float) -> Iterator[PdfBlock]:
    """Yield the blocks where running heads stand, and those that are written across the page."""
    yield from page.across
    for block in page.blocks:
        at_top = block.lines[-1].bottom < page.top + EDGE * page.height
        at_bottom = block.lines[0].top > page.top + (1 - EDGE) * page.height
        if (at_top or at_bottom) and len(block.lines) <= 2 and block.size < HEADING * body * 1.1:
            yield block


def _key(block: PdfBlock) -> str:
    key = _NUMBER.sub("#", block.text.casefold())
    return "#" if _ROMAN.fullmatch(key) else key


def _is_number(key: str) -> bool:
    return not any(character.isalpha() for character in key.replace("page", "").replace("of", ""))


# --- headings and text -------------------------------------------------------------------------------------------


def _parts(pages: Sequence[_Page], body: float) -> Iterator[_Part]:
    sizes = sorted(
        {round(block.size) for page in pages for block in page.blocks if _is_large(block, body)}, reverse=True
    )
    for page in pages:
        for block in page.blocks:
            if block.kind == "code":
                yield _Part(f"```\n{block.text}\n```", page.number, block.kind)
            elif block.kind == "prose" and (level := _level(block, body, sizes)):
                yield _Part("#" * level + " " + block.text, page.number, "heading")
            else:
                yield _Part(block.text, page.number, block.kind)


def _is_large(block: PdfBlock, body: float) -> bool:
    return (
        block.kind == "prose"
        and block.size >= HEADING * body
        and len(block.text) <= MAX_HEADING
        and sum(map(str.isalpha, block.text)) >= 2
    )


def _level(block: PdfBlock, body: float, sizes: Sequence[int]) -> int:
    """Return the level of a heading, 0 for other text."""
    section = _SECTION.match(block.text)
    if _is_large(block, body):
        if section:
            return min(6, 2 + section[1].count("."))
        return min(3, 1 + sizes.index(round(block.size)))
    bold = all(line.is_bold for line in block.lines) and block.size >= 0.95 * body
    if bold and section and len(block.text) <= MAX_HEADING and not block.text.endswith((".", ",", ";")):
        return min(6, 2 + section[1].count("."))
    return 0


def _mended(text: str) -> str:
    """Return the text with the words that a line end divided; a hyphen that other places have is kept."""
    if "\u00ad" not in text:
        return text
    known = Counter(word.casefold() for word in _WORD.findall(text))
    first, *others = text.split("\u00ad")
    parts = [first]
    for part in others:
        part = part.removeprefix(" ")
        before = _WORD.findall(parts[-1][-MAX_PART:]) if parts[-1][-1:].isalpha() else []
        after = _WORD.findall(part[:MAX_PART]) if part[:1].islower() else []
        whole = bool(before and after)
        if whole:
            first, last = before[-1].casefold(), after[0].casefold()
            whole = known[f"{first}-{last}"] <= known[first + last]
        parts += [part] if whole else ["-", part]
    return "".join(parts)


# --- title -------------------------------------------------------------------------------------------------------


def _title(title: str) -> str:
    """Return the title that a file states, unless a program wrote it."""
    title = " ".join(title.split())
    is_title = MIN_TITLE <= len(title) <= MAX_TITLE and not _NOT_A_TITLE.match(title)
    return title if is_title and any(map(str.isalpha, title)) else ""


def _printed_title(pages: Sequence[_Page], body: float) -> str:
    """Return the largest text of the first page, or its first line where all is of one size and that line is short."""
    if not pages:
        return ""
    prose = [block for block in pages[0].blocks if block.kind == "prose"]
    large = [block for block in prose if _is_large(block, body)]
    if large:
        size = max(block.size for block in large)
        first = next(number for number, block in enumerate(prose) if block in large and block.size >= 0.97 * size)
        same = [block.text for block in prose[first : first + 3] if abs(block.size - size) < 0.03 * size]
        return _mended(" ".join(same))[:MAX_TITLE]
    return _mended(prose[0].text) if prose and len(prose[0].text) <= MAX_HEADING // 2 else ""
