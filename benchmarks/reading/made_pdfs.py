"""PDFs with known text: columns, tables, forms, slides, divided words, running heads, scripts, rotation."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pydoc_data.topics import topics
from typing import Any, NamedTuple

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from .encodings import SENTENCES

WIDTH, HEIGHT = A4
BODY, LEADING = 10, 12.5
_MARKUP = re.compile(r"\*\*|``|:\w+:|`|\*|_")


class MadePdf(NamedTuple):
    """The bytes of a PDF and its text in reading order."""

    name: str
    data: bytes
    text: str


class Sheet:
    """A canvas that notes what is written, in the order of reading."""

    def __init__(self, size: tuple[float, float] = A4) -> None:
        self.file = io.BytesIO()
        self.canvas = Canvas(self.file, pagesize=size)
        self.said: list[str] = []

    def line(
        self, x: float, y: float, text: str, *, size: float = BODY, font: str = "Helvetica", note: bool = True
    ) -> None:
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y, text)
        if note:
            self.said.append(text)

    def column(self, x: float, y: float, lines: list[str], **options: Any) -> None:
        for number, text in enumerate(lines):
            self.line(x, y - LEADING * number, text, **options)

    def made(self, name: str) -> MadePdf:
        self.canvas.save()
        return MadePdf(name, self.file.getvalue(), "\n".join(self.said))


def prose(seed: int, count: int) -> list[str]:
    """Return some words of Python's language reference, others for each seed."""
    words = all_words()
    start = seed * 1201 % (len(words) - count)
    return words[start : start + count]


@cache
def all_words() -> list[str]:
    text = _MARKUP.sub("", " ".join(topics[name] for name in sorted(topics)))
    return [word for word in text.split() if word[:1].isalpha() and len(word) < 20]


def wrapped(words: list[str], width: float, *, size: float = BODY, divide: bool = False) -> list[str]:
    """Return lines of at most ``width`` points; ``divide`` divides long words at the ends of lines."""
    lines, line = [], ""
    for word in words:
        longer = f"{line} {word}".strip()
        if pdfmetrics.stringWidth(longer, "Helvetica", size) <= width:
            line = longer
            continue
        half = len(word) // 2
        if divide and len(word) > 7 and word.isalpha() and word.islower():
            part = f"{line} {word[:half]}-"
            if pdfmetrics.stringWidth(part, "Helvetica", size) <= width:
                lines.append(part)
                line = word[half:]
                continue
        lines.append(line)
        line = word
    return [*lines, line]


def columns(
    name: str, seed: int, count: int, *, by_line: bool = False, heads: bool = False, divide: bool = False
) -> MadePdf:
    """Columns of text below a title; ``by_line`` writes them line by line, as some programs do."""
    sheet = Sheet()
    gap = 22.0
    width = (WIDTH - 100 - gap * (count - 1)) / count
    places = [50 + number * (width + gap) for number in range(count)]
    for page in range(3 if heads else 1):
        top = HEIGHT - 110
        if heads:
            sheet.line(50, HEIGHT - 40, "Journal of made documents", size=8, note=False)
            sheet.line(WIDTH / 2, 25, str(100 + page), size=8, note=False)
        if not page:
            sheet.line(50, HEIGHT - 75, f"On the reading of papers {name}", size=16, font="Helvetica-Bold")
        texts = [wrapped(prose(seed + 3 * page + number, 230), width, divide=divide)[:40] for number in range(count)]
        for x, lines in zip(places, texts, strict=True):
            if by_line:
                sheet.said += lines
            else:
                sheet.column(x, top, lines)
        if by_line:
            for number in range(max(map(len, texts))):
                for x, lines in zip(places, texts, strict=True):
                    if number < len(lines):
                        sheet.line(x, top - LEADING * number, lines[number], note=False)
        sheet.canvas.showPage()
    if divide:
        sheet.said = [mended("\n".join(sheet.said))]
    return sheet.made(name)


def mended(text: str) -> str:
    return re.sub(r"([a-z]+)-\n([a-z]+)", r"\1\2", text)


def single(name: str, seed: int, *, size: float = BODY, font: str = "Helvetica", heads: bool = False) -> MadePdf:
    sheet = Sheet()
    for page in range(4 if heads else 2):
        if heads:
            sheet.line(
                60, HEIGHT - 35, "Handbook of valves" if page % 2 else "Chapter 3. Pumps and hoses", size=8, note=False
            )
            sheet.line(WIDTH - 80, 22, f"Page {page + 1} of 4", size=8, note=False)
        lines = wrapped(prose(seed + page, 320), WIDTH - 140, size=size)[:40]
        for number, text in enumerate(lines):
            sheet.line(60, HEIGHT - 80 - number * (size + 3), text, size=size, font=font)
        sheet.canvas.showPage()
    return sheet.made(name)


def with_table(name: str, seed: int, width: int) -> MadePdf:
    sheet, chance = Sheet(), random.Random(seed)
    sheet.column(60, HEIGHT - 80, wrapped(prose(seed, 90), WIDTH - 140))
    words = prose(seed + 1, 200)
    for row in range(12):
        for number in range(width):
            cell = (
                f"{chance.randint(1, 999)}.{chance.randint(10, 99)}"
                if row and number
                else words[row * width + number][:11]
            )
            sheet.line(60 + number * 440 / width, HEIGHT - 220 - 16 * row, cell)
    sheet.column(60, HEIGHT - 460, wrapped(prose(seed + 2, 90), WIDTH - 140))
    return sheet.made(name)


def form(name: str, seed: int) -> MadePdf:
    sheet = Sheet()
    sheet.line(60, HEIGHT - 70, "Application for a permit", size=16)
    words = prose(seed, 60)
    for row, label in enumerate(("Name of the owner", "Street and number", "Kind of building", "Purpose of the work")):
        y = HEIGHT - 120 - 30 * row
        sheet.line(60, y, f"{label}:")
        value = " ".join(words[4 * row : 4 * row + 3])
        sheet.canvas.acroForm.textfield(name=f"f{row}", value=value, x=220, y=y - 4, width=260, height=18, fontSize=10)
        sheet.said.append(value)
    return sheet.made(name)


def slides(name: str, seed: int) -> MadePdf:
    sheet = Sheet(landscape(A4))
    for page in range(4):
        words = prose(seed + page, 60)
        sheet.line(60, 500, f"{' '.join(words[:4])}", size=30, font="Helvetica-Bold")
        for number in range(5):
            sheet.line(80, 420 - 50 * number, f"• {' '.join(words[4 + 7 * number : 11 + 7 * number])}", size=20)
        sheet.line(700, 20, str(page + 1), size=9, note=False)
        sheet.canvas.showPage()
    return sheet.made(name)


def in_script(name: str, font: str, languages: str, *, visual: bool = False) -> MadePdf:
    sheet = Sheet()
    if font.startswith("Dejavu"):
        register_dejavu()
    else:
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    y = HEIGHT - 80
    for text in SENTENCES[languages].split("|") * 4:
        sheet.line(60, y, text[::-1] if visual else text, font=font, size=12, note=False)
        sheet.said.append(text)
        y -= 18
    return sheet.made(name)


def register_dejavu() -> None:
    import matplotlib
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Dejavu", f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"))


def rotated(name: str, seed: int, angle: int) -> MadePdf:
    sheet = Sheet()
    sheet.canvas.translate(WIDTH / 2, HEIGHT / 2)
    sheet.canvas.rotate(angle)
    sheet.column(-200, 200, wrapped(prose(seed, 200), 400))
    if angle in (90, 270):
        sheet.canvas.setPageRotation(angle)
    return sheet.made(name)


def ligatures(name: str) -> MadePdf:
    register_dejavu()
    sheet = Sheet()
    for number, words in enumerate(
        ("The ofﬁce ﬁlls the ﬂask.", "Eﬃcient ﬁlters waﬄe oﬀ.", "A ﬁnal ﬂow of ﬁve oﬃcers.")
    ):
        sheet.line(60, 700 - 20 * number, words, font="Dejavu", size=12)
    return sheet.made(name)


def marked(name: str, seed: int) -> MadePdf:
    """Pages with a watermark across the text, footnotes and numbered items."""
    sheet = Sheet()
    for page in range(3):
        canvas = sheet.canvas
        canvas.saveState()
        canvas.translate(150, 300)
        canvas.rotate(45)
        canvas.setFillGray(0.9)
        canvas.setFont("Helvetica", 80)
        canvas.drawString(0, 0, "CONFIDENTIAL")
        canvas.restoreState()
        words = prose(seed + page, 260)
        y = HEIGHT - 80
        for item in range(6):
            lines = wrapped(words[35 * item : 35 * item + 35], WIDTH - 180)
            sheet.line(60, y, f"{item + 1}.")
            sheet.column(80, y, lines)
            y -= LEADING * len(lines) + 8
        sheet.line(60, 80, f"{page + 1} {' '.join(words[-10:])}", size=7)
        canvas.showPage()
    return sheet.made(name)


def made_pdfs() -> Iterator[MadePdf]:
    """Yield the documents, more than thirty."""
    makers: list[Callable[[], MadePdf]] = []
    for n in range(4):
        makers.append(lambda n=n: columns(f"two columns {n}", n, 2))  # type: ignore[misc]
        makers.append(lambda n=n: columns(f"paper {n}", 10 + n, 2, heads=True, divide=True))  # type: ignore[misc]
    for n in range(3):
        makers += [
            lambda n=n: columns(f"columns by line {n}", 20 + n, 2, by_line=True),  # type: ignore[misc]
            lambda n=n: single(f"report {n}", 30 + n, size=9 + n),  # type: ignore[misc]
            lambda n=n: with_table(f"table {n}", 40 + n, 3 + n),  # type: ignore[misc]
            lambda n=n: slides(f"slides {n}", 50 + n),  # type: ignore[misc]
        ]
    for n in range(2):
        makers += [
            lambda n=n: columns(f"three columns {n}", 60 + n, 3),  # type: ignore[misc]
            lambda n=n: single(f"running heads {n}", 70 + n, heads=True, font="Times-Roman"),  # type: ignore[misc]
            lambda n=n: form(f"form {n}", 80 + n),  # type: ignore[misc]
            lambda n=n: marked(f"watermark and footnotes {n}", 90 + n),  # type: ignore[misc]
        ]
    makers += [
        lambda: in_script("Chinese", "STSong-Light", "zh"),
        lambda: in_script("Japanese", "HeiseiMin-W3", "ja"),
        lambda: in_script("Korean", "HYSMyeongJo-Medium", "ko"),
        lambda: in_script("Russian", "Dejavu", "ru"),
        lambda: in_script("Hebrew", "Dejavu", "he", visual=True),
        lambda: in_script("Arabic", "Dejavu", "ar", visual=True),
        lambda: rotated("rotated page", 100, 90),
        lambda: rotated("upside down", 101, 180),
        lambda: rotated("slanted", 102, 30),
        lambda: ligatures("ligatures"),
    ]
    for make in makers:
        yield make()
