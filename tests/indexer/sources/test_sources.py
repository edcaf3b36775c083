"""Sources of documents: folders, notebooks, Python packages, and bad files among them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from knet.errors import SourceError
from knet_indexer.sources import Item, parse_source, source_kinds
from knet_indexer.sources.docstrings import Unresolved
from knet_indexer.sources.live_docstrings import import_docstrings


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def listed(spec: str, **options: str) -> dict[str, Item]:
    return {item.uri: item for item in parse_source(spec, **options).items()}


def write_pdf(path: Path, text: str, *, encrypted: bool = False) -> None:
    """Write the smallest PDF with one line of text; ``encrypted`` needs an unknown password."""
    content = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Title (A title) >>",
    ]
    data, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010} 00000 n \n" for at in offsets)
    locked = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<41> <41>]"
    data += f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R {locked if encrypted else ''} >>\n"
    path.write_bytes(f"{data}startxref\n{start}\n%%EOF".encode())


def write_docx(path: Path, text: str) -> None:
    kind = "http://schemas.openxmlformats.org"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{kind}/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r1" '
            f'Type="{kind}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{kind}/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p>'
            "</w:body></w:document>",
        )


# --- folders -----------------------------------------------------------------------------------------------------


def test_folder_documents_have_uris_without_local_paths(docs: Path) -> None:
    (docs / "sub dir").mkdir()
    (docs / "sub dir" / "bees.md").write_text("intro\n\n```sh\n# no heading\n```\n# About bees\n\nThey dance.")
    (docs / "ants.txt").write_text("Ants carry.")
    items = listed(f"folder:{docs}")
    assert list(items) == ["folder:docs/ants.txt", "folder:docs/sub%20dir/bees.md"]
    bees = items["folder:docs/sub%20dir/bees.md"].read()
    assert (bees.title, bees.media_type) == ("About bees", "text/markdown")
    assert "They dance." in bees.text
    assert bees.modified == int((docs / "sub dir" / "bees.md").stat().st_mtime)
    assert list(listed(f"folder:{docs}", base="https://example.org/")) == [
        "https://example.org/ants.txt",
        "https://example.org/sub%20dir/bees.md",
    ]


def test_fingerprint_changes_only_with_the_file(docs: Path) -> None:
    (docs / "a.txt").write_text("one")
    (docs / "b.txt").write_text("two")
    before = {uri: item.fingerprint for uri, item in listed(f"folder:{docs}").items()}
    os.utime(docs / "a.txt", ns=(1, 1))
    after = {uri: item.fingerprint for uri, item in listed(f"folder:{docs}").items()}
    assert [uri for uri in before if before[uri] != after[uri]] == ["folder:docs/a.txt"]


def test_folder_converts_office_and_web_formats(docs: Path) -> None:
    write_pdf(docs / "paper.pdf", "Hives need air")
    write_docx(docs / "letter.docx", "Dear beekeeper")
    (docs / "page.html").write_text(
        "<html><head><title>Site</title></head><body><nav>Menu</nav><main><h1>Wax</h1><p>It <b>melts</b>.</p>"
        "<script>alert(1)</script></main><footer>Imprint</footer></body></html>"
    )
    (docs / "guide.rst").write_text("=====\nHoney\n=====\n\nKeep it dry.")
    (docs / "hive.py").write_text("# SPDX-License-Identifier: MIT\nQUEENS = 1\n")
    texts = {uri.rpartition("/")[2]: item.read() for uri, item in listed(f"folder:{docs}").items()}
    assert texts["paper.pdf"].text.strip() == "Hives need air"
    assert texts["paper.pdf"].title == "A title"
    assert texts["letter.docx"].text.strip() == "Dear beekeeper"
    assert texts["page.html"].text == "# Wax\n\nIt **melts**."
    assert texts["page.html"].title == "Wax"
    assert texts["guide.rst"].title == "Honey"
    assert (texts["hive.py"].licence, texts["hive.py"].media_type) == ("MIT", "text/x-python")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_text_encoding_is_detected(docs: Path, encoding: str) -> None:
    text = "Der Imker prüft die Völker täglich, und die Bienen fliegen über die blühenden Wiesen hinüber. " * 4
    (docs / "a.txt").write_text(text, encoding=encoding)
    assert listed(f"folder:{docs}")["folder:docs/a.txt"].read().text == text


def test_hidden_and_ignored_files_are_left_out(docs: Path, tmp_path: Path) -> None:
    for name in (
        ".git/x.md",
        ".env.txt",
        "node_modules/x.md",
        "venv2/x.md",
        "venv2/pyvenv.cfg",
        "photo.png",
        "drafts/x.md",
    ):
        (docs / name).parent.mkdir(exist_ok=True)
        (docs / name).write_text("secret")
    (tmp_path / "outside.txt").write_text("secret")
    (docs / "link.txt").symlink_to(tmp_path / "outside.txt")
    (docs / "loop").symlink_to(docs, target_is_directory=True)
    os.mkfifo(docs / "pipe.txt")
    (docs / "kept.md").write_text("public")
    (docs / "old.md").write_text("superseded")
    (docs / ".knetignore").write_text("drafts/\n")
    assert list(listed(f"folder:{docs}", exclude="old*, *.tmp")) == ["folder:docs/kept.md"]


def test_bad_file_gives_its_reason_and_others_are_read(docs: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing follows")
    write_pdf(docs / "locked.pdf", "secret", encrypted=True)
    write_pdf(docs / "scan.pdf", "")
    (docs / "broken.docx").write_bytes(b"PK")
    (docs / "broken.ipynb").write_text('{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    (docs / "binary.txt").write_bytes(b"\x00\x01\x02")
    (docs / "good.txt").write_text("good")
    reasons = {}
    for uri, item in listed(f"folder:{docs}").items():
        try:
            assert item.read().text == "good"
        except SourceError as error:
            reasons[uri.rpartition("/")[2]] = str(error)
    assert sorted(reasons) == ["binary.txt", "broken.docx", "broken.ipynb", "broken.pdf", "locked.pdf", "scan.pdf"]
    assert "is not a readable pdf file" in reasons["broken.pdf"]
    assert "is encrypted. Save a copy without a password" in reasons["locked.pdf"]
    assert "OCR" in reasons["scan.pdf"]
    assert "is not a notebook" in reasons["broken.ipynb"]
    assert all(str(docs) in reason for reason in reasons.values())


def test_unusual_names_and_pages_are_read(docs: Path) -> None:
    Path(os.fsdecode(os.fsencode(docs) + b"/caf\xe9?.txt")).write_text("latin")
    (docs / "deep.html").write_text("<div>" * 3000 + "found")
    (docs / "old.xhtml").write_text('<?xml version="1.0"?><html><body><p>strict</p></body></html>')
    texts = {uri: item.read().text for uri, item in listed(f"folder:{docs}").items()}
    assert texts == {
        "folder:docs/caf%E9%3F.txt": "latin",
        "folder:docs/deep.html": "found",
        "folder:docs/old.xhtml": "strict",
    }


def test_deleted_or_huge_file_is_a_source_error(docs: Path) -> None:
    (docs / "gone.txt").write_text("soon gone")
    with (docs / "huge.txt").open("wb") as file:
        file.truncate(65 << 20)
    items = listed(f"folder:{docs}")
    (docs / "gone.txt").unlink()
    with pytest.raises(SourceError, match=r"gone\.txt cannot be read"):
        items["folder:docs/gone.txt"].read()
    with pytest.raises(SourceError, match="too large"):
        items["folder:docs/huge.txt"].read()


# --- notebooks ---------------------------------------------------------------------------------------------------


def test_notebook_text_has_no_outputs(docs: Path) -> None:
    shown = new_code_cell("print('`' * 3 + '```')", outputs=[new_output("stream", text="a patient's name")])
    notebook = new_notebook(cells=[new_markdown_cell("# Analysis\n\nWe count."), shown, new_code_cell("")])
    nbformat.write(notebook, docs / "study.ipynb")
    (docs / "notes.md").write_text("not a notebook")
    items = listed(f"notebooks:{docs}")
    assert list(items) == ["notebooks:docs/study.ipynb"]
    read = items["notebooks:docs/study.ipynb"].read()
    assert read.title == "Analysis"
    assert read.text == "# Analysis\n\nWe count.\n\n````python\nprint('`' * 3 + '```')\n````"
    assert listed(f"folder:{docs}")["folder:docs/study.ipynb"].read().text == read.text


def test_notebook_of_an_old_format_is_read(docs: Path) -> None:
    cells = '[{"cell_type": "code", "input": ["x = 1"], "language": "python", "outputs": []}]'
    (docs / "old.ipynb").write_text(
        f'{{"nbformat": 3, "nbformat_minor": 0, "metadata": {{}}, "worksheets": [{{"cells": {cells}}}]}}'
    )
    assert listed(f"notebooks:{docs}")["notebooks:docs/old.ipynb"].read().text == "```python\nx = 1\n```"


# --- Python packages ---------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution ``bee-tools`` with a package ``beetools``."""
    folder, info = tmp_path / "site" / "beetools", tmp_path / "site" / "bee_tools-2.1.dist-info"
    folder.mkdir(parents=True)
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: bee-tools\nVersion: 2.1\nSummary: Tools for beekeepers\n"
        "License-Expression: MIT\n\n# Bee tools\n\n![badge](https://example.org/x.svg) They help.\n"
    )
    (info / "top_level.txt").write_text("beetools\n")
    (folder / "__init__.py").write_text('"""All about hives."""\nfrom ._hive import Hive, inspect_hive\n')
    (folder / "_hive.py").write_text(
        f'class Hive:\n    """A hive. {"It hums. " * 100}"""\n\n'
        "    def __init__(self, frames: int = 10) -> None: ...\n\n"
        '    def open(self, gently=True):\n        """Lift the lid."""\n\n'
        'def inspect_hive(hive):\n    """Look inside."""\n\ndef _private():\n    """Private."""\n'
    )
    (folder / "danger.py").write_text('"""Imported never."""\nraise SystemExit("side effect")\n')
    (folder / "broken.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def test_package_is_documented_without_an_import(package: Path) -> None:
    items = listed("python:bee-tools")
    assert list(items) == [
        "python:bee-tools==2.1",
        "python:bee-tools==2.1#beetools",
        "python:bee-tools==2.1#beetools.Hive",
        "python:bee-tools==2.1#beetools.danger",
    ]
    assert {item.fingerprint for item in items.values()} == {"2.1"}
    about, module, hive, danger = (item.read() for item in items.values())
    assert about.text == "Tools for beekeepers\n\n# Bee tools\n\n They help."
    assert about.licence == "MIT"
    assert module.text == (
        "# beetools\n\nAll about hives.\n\n## beetools.inspect_hive\n\n    beetools.inspect_hive(hive)\n\nLook inside."
    )
    assert hive.text.startswith("# beetools.Hive\n\n    beetools.Hive(frames: int=10)\n\nA hive. It hums.")
    assert hive.text.endswith("open(gently=True)\n\nLift the lid.")
    assert danger.text == "# beetools.danger\n\nImported never."


def test_limit_keeps_the_most_public_documents(package: Path) -> None:
    assert list(listed("python:beetools", limit="2")) == ["python:bee-tools==2.1", "python:bee-tools==2.1#beetools"]
    assert list(listed("python:beetools", include="beetools.H*")) == ["python:bee-tools==2.1#beetools.Hive"]


def test_compiled_code_is_imported_in_a_child_process() -> None:
    numpy = listed("python:numpy", include="numpy.array, numpy.add, numpy.linalg.norm")
    assert [uri.partition("#")[2] for uri in numpy] == ["numpy.add", "numpy.array", "numpy.linalg.norm"]
    assert "Create an array." in numpy[next(uri for uri in numpy if uri.endswith("numpy.array"))].read().text
    texts = [item.read().text for item in listed("python:math").values()]
    assert any("square root" in text for text in texts)


def test_crashing_or_hanging_import_loses_one_module(package: Path) -> None:
    (package / "noisy.py").write_text('print("hello")\ndef shout():\n    """Loud."""\n')
    (package / "crash.py").write_text("import os\nos._exit(3)\n")
    (package / "hang.py").write_text("import time\ntime.sleep(60)\n")
    for bad, deadline in (("beetools.crash", 60.0), ("beetools.hang", 10.0)):
        found = import_docstrings(
            [Unresolved("beetools.danger"), Unresolved("beetools.noisy"), Unresolved(bad)], deadline
        )
        assert [(entry.path, entry.signature, entry.doc) for entry in found] == [
            ("beetools.noisy.shout", "beetools.noisy.shout()", "Loud.")
        ]


def test_standard_library_is_documented() -> None:
    uris = list(listed("python:stdlib", limit="300"))
    assert len(uris) == 300
    assert any(uri.endswith("#json") for uri in uris)
    assert all(uri.startswith("python:stdlib==3.") for uri in uris)


# --- specs -------------------------------------------------------------------------------------------------------


def test_invalid_spec_lists_valid_ones(tmp_path: Path) -> None:
    assert source_kinds() == ["folder", "notebooks", "python", "sitemap"]
    with pytest.raises(SourceError, match=r"Start it with one of folder:, notebooks:, python:, sitemap:"):
        parse_source("gopher://example.org")
    with pytest.raises(SourceError, match=r"no option colour\. Options are base, exclude"):
        parse_source(f"folder:{tmp_path}", colour="red")
    with pytest.raises(SourceError, match="is not a folder"):
        parse_source(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(SourceError, match="pip install no-such-package-anywhere"):
        parse_source("python:no-such-package-anywhere")
    with pytest.raises(SourceError, match="limit must be a positive number"):
        parse_source("python:json", limit="0")
    with pytest.raises(SourceError, match="Begin it with https"):
        parse_source("sitemap:example.org")
