"""PDFs: words, their order and glued words, against the known text of made files and pdfium's text of foreign ones."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
from matplotlib.axes import Axes

from knet.errors import SourceError
from knet_indexer.sources.pdf import pdf_text

from .made_pdfs import made_pdfs
from .words import Compared, compare

FOLDERS = (Path("/usr/share/doc"), Path("/usr/share/texmf"), Path("/usr/lib/R"))  # of installed packages
MAX_FOREIGN = 60
MAX_PAGES = 300
MIN_WORDS = 50
LARGE = 300  # pages of the file whose speed is measured


def pdfs_part(axes: Axes) -> tuple[dict[str, float], dict[str, Any]]:
    """Read made PDFs and those of installed packages."""
    made = {pdf.name: compare(pdf_text(pdf.data, pdf.name).text, pdf.text) for pdf in made_pdfs()}
    foreign: dict[str, Compared] = {}
    skipped: dict[str, str] = {}
    pages = 0
    seconds = 0.0
    for path, data in foreign_pdfs():
        try:
            right, count = pdfium_text(data)
            started = time.process_time()
            found = pdf_text(data, path.name).text
            seconds += time.process_time() - started
            pages += count
        except (SourceError, pypdfium2.PdfiumError) as error:
            skipped[str(path)] = str(error)
            continue
        compared = compare(found, right)
        if compared.words >= MIN_WORDS:
            foreign[str(path)] = compared
        else:
            skipped[str(path)] = f"{compared.words} words"
    every = [*made.values(), *foreign.values()]
    recalls = [found.recall for found in every]
    axes.plot(sorted(recalls), label="recall")
    axes.plot(sorted(found.order for found in every), label="order")
    axes.set(
        xlabel="PDFs, the worst first", ylim=(0.5, 1.01), title=f"{len(made)} made and {len(foreign)} foreign PDFs"
    )
    axes.legend()
    figures = {
        "pdf_word_recall": round(float(np.mean(recalls)), 4),
        "pdf_order": round(float(np.mean([found.order for found in every])), 4),
        "glued_share": round(float(np.mean([found.glued for found in every])), 5),
        "pdf_seconds_a_page": round(large_seconds() / LARGE, 4),
    }
    if not foreign:
        skipped["foreign PDFs"] = "no installed package has one; name folders in KNET_PDFS"
    return figures, {
        "made": {name: found._asdict() for name, found in made.items()},
        "foreign": {name: found._asdict() for name, found in foreign.items()},
        "foreign_seconds_a_page": seconds / pages if pages else None,
        "skipped": skipped,
    }


def foreign_pdfs() -> Iterator[tuple[Path, bytes]]:
    """Yield PDFs of installed packages, of the data folder, and of the folders in KNET_PDFS."""
    named = [
        Path(name)
        for name in (os.environ.get("KNET_PDFS", "") + os.pathsep + os.environ.get("KNET_DATA", "")).split(os.pathsep)
        if name
    ]
    found: dict[str, Path] = {}
    for folder in (*named, *FOLDERS):
        for path in sorted(folder.rglob("*.pdf*")) if folder.is_dir() else ():
            if path.name.endswith((".pdf", ".pdf.gz")) and path.is_file():
                found.setdefault(path.name, path)
    paths = sorted(found.values())
    for path in paths[:: max(1, len(paths) // MAX_FOREIGN)]:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        try:
            with pypdfium2.PdfDocument(data) as document:
                fits = len(document) <= MAX_PAGES
        except pypdfium2.PdfiumError:
            continue
        if fits:
            yield path, data


def pdfium_text(data: bytes) -> tuple[str, int]:
    """Return pdfium's own text without lines that many pages have at their edges, and the number of pages."""
    pages = []
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            text = page.get_textpage().get_text_range()
            pages.append([line for line in re.sub(r"[\ufffe\x02]\r?\n?", "", text).splitlines() if line.strip()])
    keys = Counter(key for lines in pages for key in {_key(line) for line in lines[:2] + lines[-2:]})
    kept = [
        line
        for lines in pages
        for number, line in enumerate(lines)
        if not (keys[_key(line)] >= 3 and (number < 2 or number >= len(lines) - 2))
    ]
    return "\n".join(kept), len(pages)


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line.casefold().strip())


def large_seconds() -> float:
    """Return the CPU seconds to read a file of `LARGE` pages."""
    from .made_pdfs import HEIGHT, WIDTH, Sheet, prose, wrapped

    sheet = Sheet()
    for page in range(LARGE):
        sheet.column(60, HEIGHT - 60, wrapped(prose(page, 450), WIDTH - 120)[:55], note=False)
        sheet.canvas.showPage()
    data = sheet.made("large").data
    started = time.process_time()
    pdf_text(data, "large")
    return time.process_time() - started
