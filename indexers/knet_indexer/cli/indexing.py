"""`knet node sync`, `status` and `skipped`: the index of a node and the account of its last sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from knet.cli.common import AsJson, command, console, out, print_json, shown
from knet.errors import SecretsFound

from ..ingest.account import INCOMPLETE, last_account
from .common import (
    HomeOption,
    NodeArgument,
    allowed_name,
    can_ask,
    json_lines,
    open_node,
    plain_fields,
    progress_bars,
    report_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ingest.account import Account
    from ..ingest.sync import SyncPlan, SyncReport
    from ..node import Node

SHOWN = 20  # uris of each group of a plan

Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="Publish this document although it seems to hold a secret (repeatable)."),
]
Lines = Annotated[bool, typer.Option("--lines", help="Print progress as JSON lines on stdout, one a second.")]
Retry = Annotated[bool, typer.Option(help="Read skipped documents again that did not change.")]


@command
def sync(
    name: NodeArgument = "",
    home: HomeOption = None,
    retry: Retry = False,
    executor: Annotated[str, typer.Option(help="Read and embed with local, ray or ray://HOST:PORT.")] = "local",
    allow: Allow = None,
    empty: Annotated[bool, typer.Option("--empty", help="Remove all documents of a source that lists none.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: AsJson = False,
    lines: Lines = False,
) -> None:
    """Index changes of the sources, and account for every file. An interrupted sync continues where it stopped.

    Documents that seem to hold secrets end it with their list, and nothing is published until each is removed, ignored
    or allowed. Exits with 3 when a source, or a part of one, could not be listed: everything else is indexed.
    """
    node = open_node(name, home)
    if dry_run:
        from ..ingest.sync import plan_sync

        with json_lines() if lines else progress_bars() as progress:
            plan = plan_sync(node, progress=progress)
        report_result(plan, as_json, _show_plan)
        _exit_if(bool(plan.failures))
        return
    allow_documents(node, allow)
    asks = can_ask() and not (as_json or lines)
    report = run_sync(node, retry=retry, lines=lines, executor=executor, empty=empty, asks=asks)
    report_result(report, as_json, show_sync)
    _exit_if(bool(report.account.failures))


def _exit_if(incomplete: bool) -> None:
    if incomplete:
        raise typer.Exit(INCOMPLETE)


def run_sync(
    node: Node,
    *,
    retry: bool = False,
    lines: bool = False,
    executor: str = "local",
    empty: bool = False,
    asks: bool = False,
) -> SyncReport:
    """Sync with a display of progress. ``asks``: a person is asked before a source is emptied. Raises as `sync`."""
    from ..ingest.sync import sync

    emptied: dict[str, int] = {}

    def may_empty(source: str, documents: int) -> bool:
        emptied[source] = documents
        return empty

    def once() -> SyncReport:
        with json_lines() if lines else progress_bars() as progress:
            return sync(node, progress=progress, retry=retry, executor=executor, may_empty=may_empty)

    try:
        report = once()
        if asks and emptied and not empty:
            listed = ", ".join(f"{source} ({documents} documents)" for source, documents in emptied.items())
            empty = typer.confirm(f"{listed}: nothing is listed any more. Remove its documents?", err=True)
            report = once() if empty else report
        return report
    except SecretsFound:
        with node.open_state() as state:
            if account := last_account(state):
                _show_account(account, console.print)
        raise


def allow_documents(node: Node, names: list[str] | None) -> None:
    """Remember documents that may be published although they seem to hold secrets."""
    if names:
        added = [allowed_name(name, [source.spec for source in node.config.sources]) for name in names]
        node.configure(allow=sorted({*node.config.allow, *added}))


def show_sync(report: SyncReport) -> None:
    """Print the result of a sync and its account."""
    out.print(
        f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged; "
        f"{report.chunks} passages, {report.embedded} embedded in {report.seconds:.1f} s"
    )
    _show_account(report.account, out.print)
    if report.skipped:
        out.print(f"[yellow]{len(report.skipped)} skipped[/]: run `knet node skipped`")


def _show_account(account: Account, show: Callable[[str], None]) -> None:
    show(shown(str(account)))
    for part, reason in account.failures:
        show(f"[yellow]not listed:[/] {shown(part)}: {shown(reason)}")


def _show_plan(plan: SyncPlan) -> None:
    groups = (("add", plan.added), ("read again", plan.changed), ("remove", plan.removed))
    for word, uris in groups:
        for uri in uris[:SHOWN]:
            out.print(f"{word} {shown(uri)}")
        if len(uris) > SHOWN:
            out.print(f"{word} {len(uris) - SHOWN} more")
    left_out = ", ".join(f"{kind} {count}" for kind, count in plan.left_out)
    counted = ", ".join(f"{len(uris)} to {word}" for word, uris in groups)
    out.print(shown(f"{counted}, {plan.unchanged} unchanged" + (f"; left out: {left_out}" if left_out else "")))
    for part, reason in plan.failures:
        out.print(f"[yellow]not listed:[/] {shown(part)}: {shown(reason)}")


@command
def status(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """Show the documents, publications and last sync of a node."""
    from .status import read_status

    found = read_status(open_node(name, home))
    if as_json:
        print_json(found)
        return
    table = Table(show_header=False, box=None)
    for field, value in plain_fields(found).items():
        if field not in ("skipped", "sources", "account", "unfinished"):
            table.add_row(field.replace("_", " "), shown(str(value)))
    for source in found.sources:
        table.add_row("source", shown(source))
    out.print(table)
    if found.unfinished:
        out.print("[yellow]a sync was interrupted, or runs now[/]")
    if found.account:
        _show_account(found.account, out.print)
    if found.skipped:
        out.print(f"[yellow]{len(found.skipped)} skipped[/]: run `knet node skipped`")


@command
def skipped(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """List skipped documents with the reason."""
    from .status import read_status

    found = read_status(open_node(name, home)).skipped
    if as_json:
        print_json([{"uri": uri, "reason": reason} for uri, reason in found])
        return
    for uri, reason in found:
        out.print(f"{shown(uri)}: {shown(reason)}")
