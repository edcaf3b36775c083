"""Encodings of texts: a stated one counts, others are guessed and told; binary data is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources import parse_source
from knet_indexer.sources.charset import decode
from knet_indexer.sources.folder import read_file
from knet_indexer.sources.notes import Note

TEXTS = {
    "cp1252": "The valve — “main” — costs 5 € and opens at 3 bar.",
    "iso8859-1": "Le café est fermé à midi, el niño comió ayer.",
    "cp1250": "Zażółć gęślą jaźń. Zawór otwiera się przy trzech barach.",
    "iso8859-2": "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "cp1251": "Клапан открывается при трёх барах.",
    "koi8-r": "Клапан открывается при трёх барах.",
    "cp866": "Клапан открывается при трёх барах.",
    "cp1253": "Η βαλβίδα ανοίγει στα τρία μπαρ.",
    "cp1254": "Vana üç barda açılır, dışarıda ağaç yeşil.",
    "cp1255": "השסתום נפתח בשלושה בר.",
    "cp1256": "يفتح الصمام عند ثلاثة بار.",
    "cp1257": "Vožtuvas atsidaro esant trims barams, ąžuolų šaknis.",
    "cp874": "วาล์วเปิดที่สามบาร์",
    "gb18030": "阀门在三巴时打开。启动水泵之前请先打开阀门。",
    "big5": "閥門在三巴時打開。啟動水泵之前請先打開閥門。",
    "shift_jis": "バルブは三バールで開きます。",
    "euc_jp": "バルブは三バールで開きます。",
    "euc_kr": "밸브는 3바에서 열립니다.",
    "utf-16-le": "The valve opens at 3 bar.",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_encoding_is_guessed_and_told(encoding: str) -> None:
    found = decode(TEXTS[encoding].encode(encoding), "a.txt")
    assert found.text == TEXTS[encoding]
    assert [note.kind for note in found.notes] == ["guessed_encoding"]


def test_stated_encoding_counts_and_is_not_a_guess() -> None:
    page = '<meta charset="iso-8859-1"><p>Der “Preis” beträgt 5 €</p>'
    assert decode(page.encode("cp1252"), "a.html", markup=True) == (page, ""), "browsers read latin-1 as Windows-1252"
    assert decode("Клапан".encode("koi8-r"), "a.txt", stated="koi8-r") == ("Клапан", "")
    assert decode("\ufeffvalve".encode("utf-16"), "a.txt").notes == ()
    assert decode("naïve".encode(), "a.html", markup=True).notes == ()


def test_wrong_statement_gives_way_to_the_bytes() -> None:
    page = '<meta charset="utf-8"><p>Der Preis beträgt 5 €, für die Völker</p>'
    assert decode(page.encode("cp1252"), "a.html", markup=True) == (page, "cp1252")


def test_owner_names_the_encoding_of_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Клапан".encode("koi8-r"))
    (tmp_path / "a.html").write_bytes("<p>Клапан</p>".encode("koi8-r"))
    texts = {item.uri[-4:]: item.read() for item in parse_source(f"folder:{tmp_path}", encoding="koi8-r").items()}
    assert {text.text for text in texts.values()} == {"Клапан"}
    assert all(not text.notes for text in texts.values())
    with pytest.raises(SourceError, match="no encoding 'klingon'"):
        parse_source(f"folder:{tmp_path}", encoding="klingon")


@pytest.mark.parametrize("name", ["a.html", "a.txt", "a.csv", "README"])
def test_random_bytes_are_refused_whatever_their_name(name: str) -> None:
    """Threat model: document, a file of random bytes called a page."""
    for size in (300, 30_000):
        with pytest.raises(SourceError, match="holds binary data"):
            read_file(os.urandom(size), Path(name))


def test_guess_is_a_note_of_the_document() -> None:
    assert read_file(TEXTS["cp1252"].encode("cp1252"), Path("a.md")).notes == (
        Note(kind="guessed_encoding", detail="cp1252"),
    )
