"""`knet node documents`, `show` and `forget`: commands about the single documents of a node."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urldefrag

import typer

from knet.cli.common import AsJson, command, console, out, print_json, shown
from knet.codec import Cid
from knet.content.base import get_record
from knet.errors import BlockNotFound, ConfigError
from knet.records import Manifest, Record

from .common import HomeOption, NodeArgument, NodeOption, open_node, progress_bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..node import Node
    from ..publication.publish import PublishReport
    from ..state import DocumentRow


class HeldDocument(Record, frozen=True):
    """A document of a node. ``published``: the head holds this version. ``notes`` are about its reading."""

    uri: str
    title: str
    document: Cid
    media_type: str
    licence: str
    passages: int
    published: bool
    notes: list[str]


class ShownDocument(HeldDocument, frozen=True):
    """A document with its canonical text and the offsets of its passages in it."""

    text: str
    spans: list[tuple[int, int]]


@command
def documents(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """List the documents that a node holds, with the number of their passages."""
    found = [about for about, _ in _held(open_node(name, home))]
    if as_json:
        print_json(found)
        return
    for each in found:
        waiting = "" if each.published else " [yellow]not published yet[/]"
        out.print(f"{shown(each.uri)}: {shown(each.title)}, {each.passages} passages{waiting}")
        for note in each.notes:
            out.print(f"  {shown(note)}")


@command
def show(
    uri: Annotated[str, typer.Argument(metavar="URI", help="Document, as in `knet node documents`.")],
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Print the canonical text of a document as the node publishes it, cut into its passages."""
    opened = open_node(node, home)
    found = [entry for entry in _held(opened) if entry[0].uri == uri or urldefrag(entry[0].uri)[0] == uri]
    if not found:
        hint = "`knet node documents` lists them."
        raise ConfigError(f"{uri}: node {opened.name} holds no such document.", hint=hint)
    shown_documents = []
    for about, row in found:
        text = opened.store.get(row.document.text).decode()
        spans = [(chunk.start, chunk.end) for chunk in row.chunks]
        shown_documents.append(
            ShownDocument(**{name: getattr(about, name) for name in about.__struct_fields__}, text=text, spans=spans)
        )
    if as_json:
        print_json(shown_documents)
        return
    for each in shown_documents:
        out.print(f"[bold]{shown(each.uri)}[/] {shown(each.title)} {each.document}")
        for note in each.notes:
            out.print(f"[dim]{shown(note)}[/]")
        for start, end in each.spans:
            out.print(f"[dim]{start}-{end}[/]")
            out.print(shown(each.text[start:end]))


def _held(node: Node) -> Iterator[tuple[HeldDocument, DocumentRow]]:
    from ..publication import manifest_log, withdrawal

    with node.open_state() as state:
        head = manifest_log.head(state)
        published: set[Cid] = set()
        if head is not None:
            with suppress(BlockNotFound):
                published = withdrawal.published_documents(node.store, get_record(node.store, head.manifest, Manifest))
        notes: dict[str, list[str]] = {}
        for item, note in state.notes():
            notes.setdefault(item, []).append(str(note))
        for row in state.documents():
            document = row.document
            yield (
                HeldDocument(
                    uri=document.uri,
                    title=document.title,
                    document=row.cid,
                    media_type=document.media_type,
                    licence=document.licence,
                    passages=len(row.chunks),
                    published=row.cid in published,
                    notes=notes.get(document.uri.partition("#part=")[0], []),
                ),
                row,
            )


@command
def forget(
    uris: Annotated[list[str], typer.Argument(metavar="URI...", help="Documents, as in `knet node documents`.")],
    undo: Annotated[bool, typer.Option("--undo", help="Read them again at the next sync instead.")] = False,
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Take documents back at once: publish without them, delete their blocks, and renew the pins.

    Later syncs leave them out. The report lists the copies that the node cannot delete. Exits with 1 when the chain
    could not be reached: the node then withholds the documents, and the next publication takes them back.
    """
    from ..publication.forget import forget, remember

    opened = open_node(node, home)
    if undo:
        remember(opened, uris)
        if as_json:
            print_json({"forgotten": opened.config.forgotten})
        return
    with progress_bars() as progress:
        report = forget(opened, uris, progress=progress)
    if as_json:
        print_json(report)
    else:
        for uri, _ in report.documents:
            out.print(f"forgot {shown(uri)}")
        if report.published is not None:
            out.print(f"manifest {report.published.sequence} of node {report.published.node} does not hold them")
            show_withdrawal(report.published)
        for line in report.unreachable[len(report.published.unreachable) if report.published else 0 :]:
            out.print(f"[yellow]beyond reach:[/] {shown(line)}")
    if report.pending:
        console.print(f"[bold red]error:[/] the documents are withheld, but still published: {shown(report.pending)}")
        raise typer.Exit(1)


def show_withdrawal(report: PublishReport) -> None:
    """Print which text a publication deleted, and where it may still be."""
    if report.withdrawn:
        out.print(f"deleted the text of {report.withdrawn} removed documents or versions")
    for place in report.pins:
        out.print(f"renewed the pin at {shown(place)}")
    for line in report.unreachable:
        out.print(f"[yellow]beyond reach:[/] {shown(line)}")
    for line in report.incomplete:
        out.print(f"[yellow]incomplete:[/] {shown(line)}")
