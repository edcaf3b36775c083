"""Runs of characters of a PDF page, read by pdfium with their places.

pdfium's licence allows every use, and it takes milliseconds a page; `benchmarks/reading` measures what is made of it.
Its own text follows the order of the file. The places of the characters are read too, so that columns, tables and
paragraphs can be told apart.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

MAX_CHARACTERS = 200_000  # of a page; a page of a newspaper has 20,000
GAP = 0.9  # in sizes of the font: a wider gap separates runs, which may be words, cells or columns
SPACE = 0.13  # a wider gap without a space character separates words
SAME_LINE = 0.5  # least share of the smaller height that two runs of a line share
MAX_CONTROLS = 0.08  # share of the characters without a Unicode map; ligatures of TeX's fonts are under 0.03
MIN_VOWELS = 0.2  # share of the letters; English and German have 0.38
FIXED_PITCH = 1  # flag of a font descriptor
BOLD = 600  # font weight

_FIXED = re.compile(rb"mono|courier|typewriter|consol|menlo|fixed|cm(?:sl|i|vt)?tt|sftt|code", re.IGNORECASE)
_LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_HYPHENS = {"\x02", "\ufffe", "\u00ad"}  # pdfium's marks of a hyphen at the end of a line


class Run(NamedTuple):
    """Adjacent characters of one line. Coordinates are in points, in the direction of the text; y grows downwards."""

    text: str
    left: float
    right: float
    top: float
    bottom: float
    size: float
    order: int  # index of its first character in the file
    bold: bool
    fixed: bool

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class PageRuns(NamedTuple):
    """The runs of a page by the angle of their text in degrees, and the share of characters without a Unicode map."""

    by_angle: dict[int, list[Run]]
    unmapped: float


class _Glyph(NamedTuple):
    text: str
    left: float
    right: float
    top: float
    bottom: float


def read_runs(page: Any) -> PageRuns:
    """Return the runs of an open page of pypdfium2."""
    textpage = page.get_textpage()
    try:
        return _Reader(textpage.raw).read()
    finally:
        textpage.close()


class _Reader:
    def __init__(self, textpage: Any) -> None:
        import pypdfium2.raw as pdfium

        self.pdfium = pdfium
        self.page = textpage
        self.box = pdfium.FS_RECTF()
        self.flags = ctypes.c_int()
        self.name = ctypes.create_string_buffer(128)
        self.found: dict[int, list[Run]] = defaultdict(list)
        self.glyphs: list[_Glyph] = []
        self.first = self.angle = 0

    def read(self) -> PageRuns:
        pdfium = self.pdfium
        count = min(pdfium.FPDFText_CountChars(self.page), MAX_CHARACTERS)
        codes = [pdfium.FPDFText_GetUnicode(self.page, index) for index in range(count)]
        unsure = [index for index in range(count) if pdfium.FPDFText_HasUnicodeMapError(self.page, index) == 1]
        garbled = set(unsure) if _is_garbled([codes[index] for index in unsure]) else set()
        mapped = 0
        space = False
        for index, code in enumerate(codes):
            character = "" if index in garbled else self._character(code)
            if character.isspace():
                space = bool(self.glyphs)
            elif character:
                mapped += 1
                pdfium.FPDFText_GetLooseCharBox(self.page, index, self.box)
                self._add(index, character, space)
                space = False
        self._end()
        unmapped = len(garbled) + sum(not code for code in codes)
        return PageRuns(dict(self.found), unmapped / max(1, unmapped + mapped))

    @staticmethod
    def _character(code: int) -> str:
        character = chr(code) if code < 0x110000 else ""
        if character in _HYPHENS:
            return "\u00ad"
        if character.isascii():
            return character if character.isprintable() or character.isspace() else ""
        if character in _LIGATURES:
            return _LIGATURES[character]
        if "\ufb50" <= character <= "\ufdff" or "\ufe70" <= character <= "\ufefc":  # Arabic as it is drawn
            return unicodedata.normalize("NFKC", character)
        return "" if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") else character

    def _add(self, index: int, character: str, space: bool) -> None:
        last = self.glyphs[-1] if self.glyphs else None
        if last is None or not self._continues(last, self._turned()):
            self._end()
            self.first = index
            self.angle = self._angle(index)
            last = None
        left, right, top, bottom = self._turned()
        if last is not None:
            size = max(1.0, min(last.bottom - last.top, bottom - top))
            gap = max(left - last.right, last.left - right)
            if space or (gap > SPACE * size and not _is_mark(character)):
                self.glyphs.append(_Glyph(" ", last.right, last.right, last.top, last.bottom))
        self.glyphs.append(_Glyph(character, left, right, top, bottom))

    def _turned(self) -> tuple[float, float, float, float]:
        """Return left, right, top and bottom of the present character in the direction of the run."""
        box = self.box
        if self.angle == 0:
            return box.left, box.right, -box.top, -box.bottom
        if self.angle == 90:
            return -box.top, -box.bottom, -box.right, -box.left
        if self.angle == 180:
            return -box.right, -box.left, box.bottom, box.top
        if self.angle == 270:
            return box.bottom, box.top, box.left, box.right
        turn = math.radians(self.angle)
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        half = min(box.right - box.left, box.top - box.bottom) / 2
        along, across = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        return along - half, along + half, -across - half, -across + half

    def _continues(self, last: _Glyph, place: tuple[float, float, float, float]) -> bool:
        left, right, top, bottom = place
        height = min(last.bottom - last.top, bottom - top)
        shared = min(last.bottom, bottom) - max(last.top, top)
        if shared < SAME_LINE * height:
            return False
        size = max(last.bottom - last.top, bottom - top, 1.0)
        gap = left - last.right if left >= last.left else last.left - right  # text may run to the left
        if left < last.left and not _is_leftward(last.text):
            return right > last.left - 0.1 * size  # an accent or a character drawn twice
        return gap < GAP * size

    def _angle(self, index: int) -> int:
        angle = math.degrees(self.pdfium.FPDFText_GetCharAngle(self.page, index))
        return round(angle / 5) * 5 % 360 if math.isfinite(angle) and angle >= 0 else 0

    def _end(self) -> None:
        glyphs, self.glyphs = self.glyphs, []
        text = "".join(glyph.text for glyph in glyphs)
        if not text:
            return
        heights = sorted(glyph.bottom - glyph.top for glyph in glyphs)
        size = heights[len(heights) // 2]
        main = [glyph for glyph in glyphs if glyph.bottom - glyph.top > 0.8 * size] or glyphs
        run = Run(
            text=text,
            left=min(glyph.left for glyph in glyphs),
            right=max(glyph.right for glyph in glyphs),
            top=min(glyph.top for glyph in main),
            bottom=max(glyph.bottom for glyph in main),
            size=size,
            order=self.first,
            bold=self.pdfium.FPDFText_GetFontWeight(self.page, self.first) >= BOLD,
            fixed=self._is_fixed(),
        )
        self.found[self.angle].append(run)

    def _is_fixed(self) -> bool:
        self.pdfium.FPDFText_GetFontInfo(self.page, self.first, self.name, len(self.name), self.flags)
        return bool(self.flags.value & FIXED_PITCH or _FIXED.search(self.name.value))


def _is_garbled(codes: Sequence[int]) -> bool:
    """Tell if characters of fonts without a Unicode map are numbers of glyphs rather than letters.

    Many are control characters then, such as the space, and the letters have few vowels.
    """
    if not codes:
        return False
    controls = sum(code < 0x20 or 0xE000 <= code <= 0xF8FF for code in codes)
    letters = [chr(code).casefold() for code in codes if code < 0x7F and chr(code).isalpha()]
    vowels = sum(letter in "aeiou" for letter in letters)
    return controls > MAX_CONTROLS * len(codes) or (len(letters) >= 20 and vowels < MIN_VOWELS * len(letters))


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character[0]) != 0


def _is_leftward(text: str) -> bool:
    return text == " " or unicodedata.bidirectional(text[-1]) in ("R", "AL", "AN", "NSM", "EN", "CS", "ES", "ON", "WS")
