"""The preview of sources that `knet node add` shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from knet.cli.common import console, shown

from ..ingest.preview import SourcePreview, preview_source

if TYPE_CHECKING:
    from ..node import Node
    from ..sources.base import Source

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
MOST_RULES = 12  # rules that leave files out; `--json` has all


def preview_all(node: Node, sources: Sequence[Source], *, quiet: bool) -> list[SourcePreview]:
    """Return the previews of sources, and print them on stderr unless ``quiet``."""
    with console.status("looking at the sources ..."), node.open_state() as state:
        previews = [preview_source(source, state) for source in sources]
    if not quiet:
        for preview in previews:
            _show(preview, console.print)
    return previews


def _show(preview: SourcePreview, show: Callable[[str], None]) -> None:
    show(f"[bold]{shown(preview.source)}[/]")
    if preview.documents:
        at_least = "" if preview.is_complete else "at least "
        kinds = _listed((each.kind, f"{each.documents:,}") for each in preview.kinds)
        show(f"  {at_least}{preview.documents:,} documents{_of(preview.bytes)}: {shown(kinds)}")
        show(f"  first: {shown(', '.join(preview.first))}")
    elif not preview.problem:
        show("  [yellow]no documents[/]")
    if preview.largest:
        show(f"  largest: {shown(_listed((name, _size(size)) for name, size in preview.largest[:3]))}")
    for each in preview.left_out[:MOST_RULES]:
        show(f"  left out: {each.files:,} {shown(each.reason)}, such as {shown(each.first)}")
    if len(preview.left_out) > MOST_RULES:
        show(f"  left out: files by {len(preview.left_out) - MOST_RULES} more rules, which --json lists")
    if preview.network == "private":
        show("  [yellow]this site is on your own network: its pages would be published[/]")
    if preview.suspicious:
        show(f"  [yellow]seem to hold secrets, at which a sync stops:[/] {shown(', '.join(preview.suspicious))}")
    if preview.problem:
        show(f"  [yellow]{shown(preview.problem)}[/]")


def _listed(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({value})" for name, value in pairs)


def _of(size: int) -> str:
    return f" of {_size(size)}" if size else ""


def _size(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} {_UNITS[0]}"
