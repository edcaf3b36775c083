"""Kinds of files: office documents, books, mail, tables, subtitles, and what a file's bytes say of its kind."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources.base import Text
from knet_indexer.sources.embedded import without_data
from knet_indexer.sources.folder import SUFFIXES, read_file
from knet_indexer.sources.titles import first_heading, split_front_matter

FACT = "The valve opens at 3 bar."
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def packed(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def docx(body: str, styles: str = "") -> bytes:
    kind = "http://schemas.openxmlformats.org"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{kind}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r1" '
            f'Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
            "word/styles.xml": f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>',
        }
    )


def read(data: bytes | str, name: str) -> Text:
    return read_file(data.encode() if isinstance(data, str) else data, Path(name))


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def test_hidden_text_of_word_is_not_published() -> None:
    """Threat model: owner's machine, text that its owner hid."""
    hidden = '<w:style w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>'
    body = (
        f"<w:p>{run(FACT)}{run('HIDDEN by run', '<w:vanish/>')}</w:p>"
        f"<w:p><w:pPr><w:pStyle w:val='Secret'/></w:pPr>{run('HIDDEN by style')}</w:p>"
        f"<w:p>{run('Shown again.', '<w:vanish w:val=' + repr('0') + '/>')}</w:p>"
    )
    found = read(docx(body, hidden), "a.docx")
    assert FACT in found.text
    assert "Shown again." in found.text
    assert "HIDDEN" not in found.text
    assert [(note.kind, note.count) for note in found.notes] == [("hidden_text", 2)]


def test_moved_and_inserted_text_of_word_is_read_once_and_removed_text_never() -> None:
    body = (
        f"<w:p><w:moveFrom>{run('Moved sentence.')}</w:moveFrom></w:p>"
        f"<w:p><w:ins>{run('Inserted sentence.')}</w:ins></w:p>"
        f"<w:p><w:del><w:r><w:delText>Removed sentence.</w:delText></w:r></w:del></w:p>"
        f"<w:p><w:moveTo>{run('Moved sentence.')}</w:moveTo></w:p>"
    )
    text = read(docx(body), "a.docx").text
    assert (text.count("Moved sentence."), text.count("Inserted sentence."), "Removed" in text) == (1, 1, False)


def test_slides_are_read_with_titles_and_notes() -> None:
    draw = 'xmlns:a="http://a" xmlns:p="http://p"'
    shape = (
        "<p:sp><p:nvPr><p:ph type='{kind}'/></p:nvPr>"
        "<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    slides = {
        f"ppt/slides/slide{number}.xml": f"<p:sld {draw}>{shape.format(kind='title', text=title)}"
        f"{shape.format(kind='body', text=text)}{shape.format(kind='sldNum', text='77')}</p:sld>"
        for number, title, text in ((1, "Valves", FACT), (10, "Pumps", "A pump."), (2, "Hoses", "A hose."))
    }
    found = read(packed({"ppt/presentation.xml": "<p/>", **slides}), "a.pptx")
    assert found.text == f"## Valves\n\n{FACT}\n\n## Hoses\n\nA hose.\n\n## Pumps\n\nA pump."
    assert found.title == "Valves"


def test_visible_sheets_are_read_as_tables() -> None:
    sheet = "<worksheet><sheetData>{rows}</sheetData></worksheet>"
    rows = (
        "<row><c r='A1' t='s'><v>0</v></c><c r='C1' t='inlineStr'><is><t>Bar</t></is></c></row>"
        "<row><c r='A2' t='s'><v>1</v></c><c r='C2'><v>3</v></c></row>"
    )
    found = read(
        packed(
            {
                "xl/workbook.xml": f"<workbook xmlns:r='{OFFICE}'><sheets><sheet name='Parts' r:id='r1'/>"
                "<sheet name='Secret' state='hidden' r:id='r2'/></sheets></workbook>",
                "xl/_rels/workbook.xml.rels": "<R><r Id='r1' Target='worksheets/sheet1.xml'/>"
                "<r Id='r2' Target='worksheets/sheet2.xml'/></R>",
                "xl/sharedStrings.xml": "<sst><si><t>Part</t></si><si><r><t>Val</t></r><r><t>ve</t></r></si></sst>",
                "xl/worksheets/sheet1.xml": sheet.format(rows=rows),
                "xl/worksheets/sheet2.xml": sheet.format(rows="<row><c><v>12345</v></c></row>"),
            }
        ),
        "a.xlsx",
    )
    assert found.text == "## Parts\n\n| Part |  | Bar |\n| --- | --- | --- |\n| Valve |  | 3 |"
    assert [str(note) for note in found.notes] == ["1 hidden passage left out (hidden sheets)"]


def test_open_document_and_book_are_read() -> None:
    odt = (
        "<d xmlns:text='t' xmlns:table='b'><text:h text:outline-level='1'>Valve</text:h><text:p>The valve<text:s/>opens"
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Tried.</text:p></text:note-body>"
        "</text:note> at 3 bar.</text:p><text:tracked-changes><text:p>GONE</text:p></text:tracked-changes></d>"
    )
    found = read(packed({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": odt}), "a.odt")
    assert (found.title, found.text) == ("Valve", "# Valve\n\nThe valve opens (Tried.) at 3 bar.")
    book = packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<c><rootfile full-path='OPS/book.opf'/></c>",
            "OPS/book.opf": "<p xmlns:dc='d'><dc:title>Valves</dc:title><item id='b' href='two.xhtml'/>"
            "<item id='a' href='one%20.xhtml'/><itemref idref='a'/><itemref idref='b'/><itemref idref='c'/></p>",
            "OPS/two.xhtml": "<html><body><p>Second.</p></body></html>",
            "OPS/one .xhtml": f"<html><body><h1>First</h1><p>{FACT}</p></body></html>",
        }
    )
    found = read(book, "a.epub")
    assert (found.title, found.text) == ("Valves", f"# First\n\n{FACT}\n\nSecond.")
    assert [str(note) for note in found.notes] == ["1 page that cannot be read (chapters)"]


def test_mail_is_read_without_its_attachments() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Ventil für Käthe"
    mail["From"] = "ann@example.org"
    mail.set_content(f"Grüße. {FACT}")
    mail.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="a.bin")
    found = read(mail.as_bytes(), "a.eml")
    assert (found.title, found.text) == ("Ventil für Käthe", f"# Ventil für Käthe\n\nGrüße. {FACT}")
    assert [str(note) for note in found.notes] == ["1 part left out (attachments)"]


def test_rich_text_is_read_without_its_tables_of_fonts_and_hidden_text() -> None:
    rtf = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}{\info{\title T}}"
        r"Der Preis betr\'e4gt 5 \u8364?."
        r"\par {\v HIDDEN}The valve \{main\} opens.}"
    )
    assert read(rtf, "a.rtf").text == "Der Preis beträgt 5 €.\n\nThe valve {main} opens."


def test_tables_subtitles_and_xml_are_read() -> None:
    assert (
        read("Part;Bar\nValve;3\nPump;5\n", "a.csv").text
        == "| Part | Bar |\n| --- | --- |\n| Valve | 3 |\n| Pump | 5 |"
    )
    vtt = "WEBVTT\n\nNOTE inner\n\n1\n"
    vtt += "00:01.000 --> 00:02.000\n<v Ann>The valve opens\n\n00:02.000 --> 00:03.000\nat 3 bar."
    assert read(vtt, "a.vtt").text == "The valve opens\nat 3 bar."
    found = read(f"<doc><title>Valve</title><p>{FACT}</p></doc>", "a.xml")
    assert (found.title, found.text) == ("Valve", f"Valve\n{FACT}")


@pytest.mark.parametrize("suffix", ["json", "yaml", "rst", "adoc", "org", "tex", "vtt", "qmd", "Rmd", "f90", "csv"])
def test_text_kinds_hold_their_text(suffix: str) -> None:
    assert f".{suffix.lower()}" in SUFFIXES
    assert FACT in read(f"{FACT}\n", f"case.{suffix}").text


@pytest.mark.parametrize("suffix", ["rtf", "odt", "epub", "eml", "pptx", "xlsx", "docx", "pdf"])
def test_broken_packages_are_told(suffix: str) -> None:
    with pytest.raises(SourceError, match=f"is not a readable {suffix} file"):
        read(f"{FACT}\n", f"case.{suffix}")


def test_kind_is_what_the_bytes_say() -> None:
    assert read(docx(f"<w:p>{run(FACT)}</w:p>"), "letter").text.strip() == FACT
    assert read(f"<!DOCTYPE html><html><body><p>{FACT}</p></body></html>", "page").text == FACT
    assert read(f"{FACT}\n", "README").text.strip() == FACT
    with pytest.raises(SourceError, match="old version of Office"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "a.doc.txt")


def test_embedded_data_is_left_out_and_counted() -> None:
    picture = "iVBORw0KGgo" + "A1b2" * 20_000
    text, notes = without_data(
        f"# Pump\n\n{FACT} ![][image1] ![plan](data:image/png;base64,{picture})\n\n"
        f"[image1]: <data:image/png;base64,{picture}>\n"
    )
    assert text.split() == ["#", "Pump", *FACT.split(), "![][image1]", "plan"]
    assert [(note.kind, note.count) for note in notes] == [("embedded_data", 2)]
    assert without_data(FACT * 200) == (FACT * 200, ())
    wrapped = "\n".join(["aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0IHRleHQgMTIzNDU2Nzg5MA"] * 20)
    assert without_data(f"{FACT}\n{wrapped}\n{FACT}")[0] == f"{FACT}\n{FACT}"
    assert without_data("a=b(c);" * 1000)[0] == ""


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\n# made by a program\ntitle: Install the pump\n---\n\nText", "Install the pump"),
        ("---\ntitle: 'Quoted: yes'\ntags:\n  - a\n---\nText", "Quoted: yes"),
        ("#todo\n\n# Real title", "Real title"),
        ("<!-- # generated -->\n\n# [Linked](http://x) title {#a}", "Linked title"),
        ("Set title\n=========\n\ntext", "Set title"),
        ("```\n# code\n```\n## After", "After"),
    ],
)
def test_title_is_the_one_a_reader_sees(text: str, title: str) -> None:
    assert read(text, "a.md").title == title


def test_rule_above_a_text_is_not_a_header_for_programs() -> None:
    text = "---\nA sentence without a key.\n\n---\nMore"
    assert split_front_matter(text) == ("", text)
    assert first_heading("no heading") == ""
