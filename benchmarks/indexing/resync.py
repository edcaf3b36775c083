"""Cost of a sync without changes, against the first sync."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.axes import Axes

from knet.config import DEFAULT_MODEL
from knet.embed.models import find_model, read_space
from knet_indexer.chunking import Chunker, canonical, chunker_for
from knet_indexer.config import NodeConfig, SourceConfig
from knet_indexer.ingest.sync import SyncReport, sync
from knet_indexer.node import Node, create_node

CHUNKS = 10_000
WARNED = (SyntaxError, ValueError, UnicodeDecodeError, RecursionError)  # raised by the parser for unusual files


def resync_part(axes: Axes, chunks: int = CHUNKS) -> tuple[dict[str, float], dict[str, Any]]:
    """Sync a folder of 10,000 passages, then unchanged, then after an edit."""
    folder = find_model(DEFAULT_MODEL)
    cut = chunker_for(folder, read_space(folder, DEFAULT_MODEL))
    with TemporaryDirectory(prefix="knet-bench-") as home:
        documents = Path(home) / "documents"
        files = write_documents(documents, cut, chunks)
        source = SourceConfig(spec=f"folder:{documents}")
        node = create_node(Path(home) / "node", NodeConfig(name="bench", sources=[source]))
        syncs = three_syncs(node, documents)
    seconds = {name: round(found.seconds, 3) for name, found in syncs.items()}
    bars = axes.barh(list(seconds), list(seconds.values()))
    axes.bar_label(bars, fmt="%.2f s", padding=3)
    axes.set(xscale="log", xlabel="seconds", title=f"{syncs['first'].chunks} passages in {files} files")
    axes.invert_yaxis()
    axes.margins(x=0.25)
    return {"resync_share": round(seconds["unchanged"] / seconds["first"], 5)}, {
        "files": files,
        "chunks": syncs["first"].chunks,
        "embedded": {name: found.embedded for name, found in syncs.items()},
        "seconds": seconds,
    }


def three_syncs(node: Node, documents: Path) -> dict[str, SyncReport]:
    """Return the seconds of the first sync, of one without changes, and of one after an edit."""
    first, unchanged = sync(node, progress=tell), sync(node)
    if first.skipped or unchanged.embedded or unchanged.changed:
        raise SystemExit(f"the second sync found something to do: {unchanged}")
    edited = min(documents.iterdir())
    edited.write_text(edited.read_text(encoding="utf-8") + "\n\nA last paragraph, added later.\n", encoding="utf-8")
    return {"first": first, "unchanged": unchanged, "one edited": sync(node)}


def tell(phase: str, done: int, total: int) -> None:
    if phase == "embed" and done % 1000 < 64:
        print(f"embedded {done}", flush=True)


def write_documents(folder: Path, cut: Chunker, chunks: int) -> int:
    """Write docstrings of installed modules, one file each, up to a number of different chunks; return the files."""
    folder.mkdir(parents=True)
    seen: set[str] = set()
    for number, text in enumerate(documents()):
        (folder / f"{number:05}.txt").write_text(text, encoding="utf-8")
        seen.update(text[start:end] for start, end in cut(text))
        if len(seen) >= chunks:
            return number + 1
    raise SystemExit(f"the installed packages' docstrings make only {len(seen)} chunks.")


def documents() -> Iterator[str]:
    """Yield the docstrings of each module of the standard library and of the installed packages."""
    for root in (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"]):
        for path in sorted(Path(root).rglob("*.py")):
            if root == sysconfig.get_paths()["stdlib"] and "site-packages" in path.parts:
                continue
            text = canonical("\n\n".join(docstrings(path)))
            if len(text) > 200:
                yield text


def docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except WARNED:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            yield text
