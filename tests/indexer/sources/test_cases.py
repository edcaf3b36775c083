"""The shared cases, where they are present: inputs with the traits of public bug reports, and the right values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources.base import Text
from knet_indexer.sources.embedded import without_data
from knet_indexer.sources.folder import SUFFIXES, read_file

SHARED = Path(os.environ.get("KNET_DATA") or Path(__file__).parents[4] / "shared" / "data").parent
CASES = SHARED / "cases" / "make_files.py"
FACT = "The valve opens at 3 bar."
BROKEN = {"rtf", "odt", "epub", "eml", "pptx", "xlsx"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not CASES.exists():
        pytest.skip(f"the public cases are not here: {CASES.parent} (KNET_DATA names the folder beside it)")
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(CASES), str(folder)], check=True, cwd=folder)
    return folder


def read(path: Path) -> Text:
    return read_file(path.read_bytes(), path)


def test_pages_and_texts_hold_their_fact_and_title(files: Path) -> None:
    titles = {"html/teaser.html": "Valve", "html/header.html": "Valve handbook", "html/form.html": "Valve"}
    titles["text/front.md"] = "Install the pump"
    for name in ("html/articles.html", "text/gdocs.md", "notebook/bom.ipynb", "notebook/picture.ipynb", *titles):
        found = read(files / name)
        assert FACT in found.text, name
        assert found.title == titles.get(name, found.title)
    assert "“main” — costs 5 €" in read(files / "text/cp1252.txt").text
    assert "HIDDEN" not in read(files / "word/hidden.docx").text


def test_pictures_are_left_out(files: Path) -> None:
    for name in ("text/gdocs.md", "notebook/picture.ipynb"):
        text, notes = without_data(read(files / name).text)
        assert len(text) < 100
        assert notes[0].kind == "embedded_data"


def test_pdf_pages_are_read_or_told(files: Path) -> None:
    mixed = read(files / "pdf/mixed.pdf")
    assert FACT in mixed.text
    assert [str(note) for note in mixed.notes] == ["2 pages without text (p. 2-3)"]
    columns = read(files / "pdf/columns.pdf").text
    assert "the valve opens at 3 bar" in columns
    assert "wax moths eat honeycomb at night" in columns
    assert "Microsoft" not in read(files / "pdf/title.pdf").title


def test_every_kind_is_read_or_told(files: Path) -> None:
    for path in sorted((files / "kinds").iterdir()):
        assert path.suffix.lower() in SUFFIXES
        if path.suffix[1:] in BROKEN:
            with pytest.raises(SourceError, match="is not a readable"):
                read(path)
        else:
            assert FACT in read(path).text
