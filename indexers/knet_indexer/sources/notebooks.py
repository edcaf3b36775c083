"""``notebooks:FOLDER``: Jupyter notebooks, one document each, as Markdown with the code in fences.

Outputs are left out. They depend on the author's data, may hold private data, and their tables and tracebacks would
hide the explanations that a reader searches for.
"""

from __future__ import annotations

import re
from pathlib import Path

from knet.errors import SourceError

from .base import Text
from .files import FilesSource
from .sandbox import POOL
from .titles import first_heading

_BACKTICKS = re.compile("`++")


def read_notebook(data: bytes, path: Path, encoding: str = "") -> Text:
    """Return `notebook_text`, within limits of time and memory. Notebooks are UTF-8. Raises SourceError."""
    return POOL.convert(".ipynb", data, str(path))


def notebook_text(data: bytes, path: Path) -> Text:
    """Return the cells of a notebook of any format version as Markdown; ``path`` names it. Raises SourceError."""
    import nbformat  # takes 1.6 s, only with notebooks
    from nbformat.reader import reads

    try:
        written = reads(data.decode("utf-8-sig"))  # type: ignore[no-untyped-call]
        notebook = nbformat.convert(written, 4)  # type: ignore[no-untyped-call]
        language = str(notebook.metadata.get("language_info", {}).get("name", "python"))
        cells = [_markdown(cell.cell_type, _joined(cell.source), language) for cell in notebook.cells]
    except MemoryError:
        raise
    except Exception as error:  # nbformat raises errors of any type for malformed notebooks
        raise SourceError(f"{path} is not a notebook: {error}") from error
    text = "\n\n".join(cell for cell in cells if cell)
    return Text(text, first_heading(text) or path.stem, "text/markdown")


class NotebooksSource(FilesSource):
    """Every notebook under a folder."""

    kind = "notebooks"
    suffixes = frozenset({".ipynb"})
    read = staticmethod(read_notebook)


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _markdown(kind: str, source: str, language: str) -> str:
    source = source.strip()
    if kind != "code" or not source:
        return source
    longest = max((len(run) for run in _BACKTICKS.findall(source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{source}\n{fence}"
