"""`knet node forget`: commands about single documents of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from knet.cli.common import AsJson, command, console, out, print_json, shown

from .common import HomeOption, NodeOption, open_node, progress_bars

if TYPE_CHECKING:
    from ..publication.publish import PublishReport


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
