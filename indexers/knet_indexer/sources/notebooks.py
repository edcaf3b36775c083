"""``notebooks:FOLDER``: Jupyter notebooks, one document each, as Markdown with the code in fences.

Outputs are left out. They are what the author's data happened to say, may show what nobody meant to publish, and
their tables and tracebacks would drown the explanation that a reader searches for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from knet.errors import SourceError

from .base import Item, Text, patterns
from .files import existing_folder, file_items, first_heading

SUFFIXES = frozenset({".ipynb"})


class NotebooksSource:
    """Every notebook under a folder. ``base`` is what their uris begin with, ``exclude`` holds .gitignore patterns."""

    def __init__(self, argument: str, *, base: str = "", exclude: str = "") -> None:
        self.root = existing_folder(argument)
        self.name = f"notebooks:{self.root}"
        self._base = base or f"notebooks:{self.root.name}/"
        self._exclude = patterns(exclude)

    def items(self) -> Iterator[Item]:
        return file_items(self.root, SUFFIXES, self._base, self._exclude, read_notebook)


def read_notebook(path: Path) -> Text:
    """The cells of a notebook of any format version. Raises SourceError."""
    import nbformat  # 1.6 s of processor time, which a folder without notebooks need not pay
    from nbformat.reader import reads

    try:
        written = reads(path.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
        notebook = nbformat.convert(written, 4)  # type: ignore[no-untyped-call]
        language = str(notebook.metadata.get("language_info", {}).get("name", "python"))
        cells = [_markdown(cell.cell_type, _joined(cell.source), language) for cell in notebook.cells]
    except OSError:
        raise
    except Exception as error:  # nbformat passes on whatever a malformed notebook makes it stumble over
        raise SourceError(f"{path} is not a notebook: {error}") from error
    text = "\n\n".join(cell for cell in cells if cell)
    return Text(text, first_heading(text) or path.stem, "text/markdown", modified=int(path.stat().st_mtime))


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _markdown(kind: str, source: str, language: str) -> str:
    source = source.strip()
    if kind != "code" or not source:
        return source
    longest = max((len(run) for run in re.findall("`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{source}\n{fence}"
