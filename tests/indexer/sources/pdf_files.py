"""Small PDF files for tests: one content stream a page, in one of the standard fonts."""

from __future__ import annotations

from collections.abc import Sequence

LETTER = (612, 792)
HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def text_at(x: float, y: float, text: str, size: float = 12, font: str = "F1") -> bytes:
    """Return the drawing of one line of text."""
    escaped = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT /%s %g Tf %g %g Td (%s) Tj ET\n" % (font.encode(), size, x, y, escaped)


def lines_at(x: float, y: float, lines: Sequence[str], size: float = 12, leading: float = 14) -> bytes:
    """Return the drawing of some lines, one below the other."""
    return b"".join(text_at(x, y - leading * number, line, size) for number, line in enumerate(lines))


def make_pdf(
    pages: Sequence[bytes], *, title: str = "", fonts: Sequence[bytes] = (HELVETICA,), extra: Sequence[bytes] = ()
) -> bytes:
    """Return a PDF with these content streams. Fonts are called F1, F2 and so on; ``extra`` objects follow them."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects += fonts
    names = b" ".join(b"/F%d %d 0 R" % (number + 1, number + 3) for number in range(len(fonts)))
    objects += extra
    kids = []
    for content in pages:
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << /Font << %s >> >> /Contents %d 0 R >>"
            % (*LETTER, names, len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    info = b""
    if title:
        objects.append(b"<< /Title (%s) >>" % title.encode("latin-1"))
        info = b"/Info %d 0 R" % len(objects)
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, info, start)
