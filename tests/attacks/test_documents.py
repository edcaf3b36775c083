"""Documents that would take any time or memory to convert: each is skipped with its reason, and the sync goes on.

Threat model: document, work without end.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources import sandbox
from knet_indexer.sources.folder import read_file
from knet_indexer.sources.site_client import unpacked
from knet_indexer.sources.sitemap_files import MAX_ADDRESS, MAX_ENTRIES, PageList, read_page_list

SOON = 60.0  # seconds on a busy machine; without limits these take minutes, or for ever
SMALL = sandbox.LIMITS._replace(cpu_seconds=3)


def docx(xml: bytes, copies: int = 1, ends: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as member:
        for _ in range(copies):
            member.write(xml)
        member.write(ends)
    return file.getvalue()


def doubling_pdf(levels: int = 40) -> bytes:
    """Return a PDF whose page draws a form twice, which draws the next twice, and so on."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        b"<</Length 10>>stream\n/F Do /F Do\nendstream",
    ]
    for level in range(levels):
        resources = b"" if level == levels - 1 else b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + level)
        objects.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]" + resources + b"/Length 11>>stream\n/F Do /F Do\nendstream"
        )
    body, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(body),
    )


def looping_pdf() -> bytes:
    """Return a PDF whose tree of pages contains itself, and whose cross-reference table is its own predecessor."""
    pdf = doubling_pdf(1).replace(b"/Kids[3 0 R]", b"/Kids[2 0 R 3 0 R]")
    start = pdf.rindex(b"xref\n0")
    return pdf.replace(b"trailer<<", b"trailer<</Prev %d" % start)


def notebook(size: int) -> bytes:
    image = base64.b64encode(os.urandom(size * 3 // 4)).decode()
    output = {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}}
    cell = {"cell_type": "code", "source": "x = 1", "outputs": [output], "execution_count": 1, "metadata": {}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        pytest.param("a.docx", lambda: docx(bytes(1 << 20), 300), "unpacks to 1 files of 300 MiB", id="zip bomb"),
        pytest.param("a.docx", lambda: docx(b"<w:p/>" * 100_000, 40), "unpacks to 1 files of 22 MiB", id="ratio"),
        pytest.param("a.docx", lambda: b"PK\x03\x04 no zip", "is not a readable docx file", id="no zip"),
        pytest.param("a.pdf", doubling_pdf, "cannot be converted within 1024 MiB and 3 s", id="doubling forms"),
        pytest.param("a.html", lambda: b"<div>" * 100_000, "nests more than 10000 elements", id="deep html"),
    ],
)
def test_document_that_takes_too_much_is_refused_with_its_reason(
    name: str, data: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LIMITS", SMALL)
    started = time.monotonic()
    assert callable(data)
    with pytest.raises(SourceError, match=reason):
        read_file(data(), Path(name))
    assert time.monotonic() - started < SOON
    assert "still here" in read_file(b"<p>still here</p>", Path("b.html")).text, "the next file is read"


def test_document_that_needs_more_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "LIMITS", SMALL._replace(memory=256 << 20, cpu_seconds=60))
    with pytest.raises(SourceError, match="cannot be converted within 256 MiB"):
        read_file(b"<p>a</p><i>b</i>" * 150_000, Path("a.html"))
    assert "still here" in read_file(b"<p>still here</p>", Path("b.html")).text


def test_document_that_takes_too_long_is_refused_without_limits_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no limit of processor time."""
    read_file(b"<p>a child is ready</p>", Path("a.html"))
    monkeypatch.setattr(sandbox, "LIMITS", sandbox.LIMITS._replace(cpu_seconds=600, seconds=2.0))
    with pytest.raises(SourceError, match="cannot be converted within"):
        read_file(doubling_pdf(), Path("a.pdf"))


def test_document_with_too_much_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "LIMITS", SMALL._replace(output=1 << 20))
    with pytest.raises(SourceError, match="holds too much text"):
        read_file(b"<p>" + b"many words " * 200_000, Path("a.html"))


def test_looping_pdf_and_large_notebook_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "LIMITS", sandbox.LIMITS._replace(cpu_seconds=20))
    with pytest.raises(SourceError):
        read_file(looping_pdf(), Path("a.pdf"))
    assert "x = 1" in read_file(notebook(20 << 20), Path("a.ipynb")).text


def test_one_child_converts_many_files() -> None:
    read_file(b"<p>one</p>", Path("a.html"))
    child = sandbox.POOL._idle[-1]
    read_file(b"<p>two</p>", Path("b.html"))
    assert sandbox.POOL._idle[-1] is child


# --- sitemaps ----------------------------------------------------------------------------------------------------


def listing(body: bytes) -> PageList:
    return read_page_list(body, "http://site.example/sitemap.xml")


def test_sitemap_holds_no_more_than_its_entries() -> None:
    url = b"<url><loc>http://site.example/a</loc>" + b"<x/>" * 20 + b"</url>"
    assert len(listing(b"<urlset>" + url * (MAX_ENTRIES + 10) + b"</urlset>").entries) == MAX_ENTRIES


@pytest.mark.parametrize("inner", [b"<a>" * 1000, b"<a>" * 1_000_000])
def test_deep_sitemap_is_refused(inner: bytes) -> None:
    with pytest.raises(SourceError, match="nests more than"):
        listing(b"<urlset>" + inner)


def test_address_of_a_page_is_bounded() -> None:
    long = b"<url><loc>http://site.example/" + b"a" * MAX_ADDRESS + b"</loc></url>"
    assert listing(b"<urlset>" + long + b"</urlset>").entries == []


def test_gzip_is_unpacked_in_parts() -> None:
    data = os.urandom(200_000) * 3
    assert b"".join(unpacked(gzip.compress(data), "here", 1 << 20)) == data
