"""The text of PDF files: columns, tables, running heads, divided words, pages that cannot be read, titles."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources.base import Text
from knet_indexer.sources.folder import read_file
from knet_indexer.sources.notes import Note
from knet_indexer.sources.pdf.layout import regions
from knet_indexer.sources.pdf.runs import Run

from .pdf_files import HELVETICA, lines_at, make_pdf, text_at

FACT = "The valve opens at 3 bar."
LEFT = ["Left column begins here and", "goes on to say that the valve", "opens at 3 bar. It closes"]
RIGHT = ["The right column is about", "something else: wax moths", "eat honeycomb at night."]


def read(*pages: bytes, title: str = "") -> Text:
    return read_file(make_pdf(pages, title=title), Path("a.pdf"))


def test_columns_are_read_one_after_the_other() -> None:
    text = read(lines_at(72, 700, LEFT) + lines_at(330, 700, RIGHT)).text
    assert "goes on to say that the valve opens at 3 bar." in text
    assert "something else: wax moths eat honeycomb at night." in text


def test_columns_that_the_file_holds_line_by_line_are_told_apart() -> None:
    rows = [
        text_at(x, 700 - 14 * number, line)
        for number in range(3)
        for x, line in ((72, LEFT[number]), (330, RIGHT[number]))
    ]
    text = read(text_at(72, 740, "A heading over both of the columns, as wide as the page is") + b"".join(rows)).text
    assert "goes on to say that the valve opens at 3 bar." in text
    assert text.index("as wide as") < text.index("Left column") < text.index("right column")


def test_table_keeps_its_rows() -> None:
    cells = [
        ("Part", "Size", "Price"),
        ("Valve", "3 bar", "12.50"),
        ("Pump", "5 bar", "99.00"),
        ("Hose", "2 m", "4.00"),
    ]
    rows = [
        text_at(72 + 120 * column, 600 - 16 * row, cell)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
    ]
    text = read(text_at(72, 700, "These parts are in store today, and can be had at the desk.") + b"".join(rows)).text
    assert "| Part | Size | Price |\n| --- | --- | --- |\n| Valve | 3 bar | 12.50 |\n| Pump | 5 bar | 99.00 |" in text


def test_divided_word_is_mended_and_a_compound_keeps_its_hyphen() -> None:
    lines = [
        "The pressure of the instal-",
        "lation is high. A well-known valve is",
        "known to be a well-",
        "known part.",
    ]
    text = read(lines_at(72, 700, lines)).text
    assert "the installation is high" in text
    assert "a well-known part" in text


def test_running_heads_and_page_numbers_are_dropped() -> None:
    pages = [
        text_at(72, 760, "Handbook of valves")
        + lines_at(72, 600, [f"This page tells of part {word}.", "It has a second line of text."])
        + text_at(300, 30, f"{number}")
        for number, word in enumerate(["alpha", "beta", "gamma", "delta"], 1)
    ]
    text = read(*pages).text
    assert "Handbook" not in text
    assert "4" not in text
    assert all(f"part {word}." in text for word in ("alpha", "beta", "gamma", "delta"))


def test_page_without_text_is_told_and_the_others_are_read() -> None:
    found = read(text_at(72, 700, f"Page one says: {FACT}"), b"q Q", b"0 0 m 9 9 l S", text_at(72, 700, "Page four."))
    assert FACT in found.text
    assert "Page four." in found.text
    assert found.notes == (Note(kind="empty_pages", count=2, detail="p. 2-3"),)
    assert str(found.notes[0]) == "2 pages without text (p. 2-3)"


def test_font_without_unicode_map_is_told() -> None:
    """The text of such a page reads ``(cid:36)`` in some programs, and ``7KH YDOYH`` in others."""
    unmapped = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [<< /Type /Font"
        b" /Subtype /CIDFontType2 /BaseFont /X"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>] >>"
    )
    glyphs = "".join(f"{ord(character) - 29:04x}" for character in FACT)  # as most TrueType fonts number them
    pages = [text_at(72, 700, "A page that can be read."), b"BT /F2 12 Tf 72 700 Td <%s> Tj ET" % glyphs.encode()]
    found = read_file(make_pdf(pages, fonts=[HELVETICA, unmapped]), Path("a.pdf"))
    assert found.text == "A page that can be read."
    assert found.notes == (Note(kind="bad_pages", count=1, detail="p. 2"),)


def test_bad_colour_space_does_not_stop_a_page() -> None:
    assert FACT in read(b"/Nonsense cs 1 2 3 4 5 6 sc " + text_at(72, 700, FACT)).text


def test_program_is_not_a_title() -> None:
    body = text_at(72, 700, "Care of valves", 24) + lines_at(72, 640, [FACT, "It closes at 2 bar."])
    assert read(body, title="Microsoft Word - final_v3_REALLY.doc").title == "Care of valves"
    assert read(body, title="final_v3.indd").title == "Care of valves"
    assert read(body, title="Valves and their care").title == "Valves and their care"


def test_rotated_text_is_read_in_its_own_direction() -> None:
    side = b"BT /F1 12 Tf 0 1 -1 0 40 300 Tm (Note in the margin) Tj ET\n"
    text = read(lines_at(72, 700, [FACT, "It closes at 2 bar."]) + side).text
    assert "Note in the margin" in text
    assert f"{FACT} It closes at 2 bar." in text


def test_values_of_form_fields_are_read() -> None:
    pdf = make_pdf([text_at(72, 700, "Name of the valve:")])
    appearance = b"BT /F1 12 Tf 2 4 Td (Old Faithful) Tj ET"
    first = pdf.count(b" 0 obj") + 1
    field = (
        b"%d 0 obj\n<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Old Faithful) /Rect [200 695 400 715] /F 4"
        b" /AP << /N %d 0 R >> >>\nendobj\n%d 0 obj\n<< /Type /XObject /Subtype /Form /BBox [0 0 200 20]"
        b" /Resources << /Font << /F1 3 0 R >> >> /Length %d >>\nstream\n%s\nendstream\nendobj\n"
        % (first, first + 1, first + 1, len(appearance), appearance)
    )
    body = pdf[: pdf.index(b"xref\n")].replace(b"/Contents", b"/Annots [%d 0 R] /Contents" % first)
    body = body.replace(b"/Type /Catalog", b"/Type /Catalog /AcroForm << /Fields [%d 0 R] >>" % first)
    found = read_file(body + field + b"trailer\n<< /Size %d /Root 1 0 R >>\n%%%%EOF" % (first + 2), Path("a.pdf"))
    assert "Name of the valve: Old Faithful" in found.text


def test_pdf_without_any_text_names_ocr() -> None:
    with pytest.raises(SourceError, match="OCR"):
        read(b"q Q")


def test_pages_of_many_runs_take_linear_time() -> None:
    """Threat model: document, a page of very many scraps of text."""
    runs = [Run("x", 20 * n % 600, 20 * n % 600 + 5, n, n + 10, 10, n, False, False) for n in range(20_000)]
    assert sum(len(line.runs) for region in regions(runs) for line in region) == len(runs)
