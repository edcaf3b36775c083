"""`knet node`: commands of a data owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer
from rich.table import Table

from knet.cli.common import AsJson, ProfileName, command, console, out, print_json, shown
from knet.config import DEFAULT_MODEL
from knet.errors import ChainError, ConfigError, KnetError

from ..config import NodeConfig, SourceConfig, free_port, node_home
from .common import (
    HomeOption,
    NodeArgument,
    NodeOption,
    allowed_name,
    json_lines,
    open_node,
    progress_bars,
    stop_with_parent,
)
from .documents import forget, show_withdrawal
from .pin import Car, Kubo, PinTarget, Service, Token, plan_pins

if TYPE_CHECKING:
    from ..ingest.sync import SyncReport
    from ..node import Node
    from ..publication.publish import PublishReport

app = typer.Typer(help="Run a node: index your documents, publish them, answer questions.", no_args_is_help=True)

R = TypeVar("R")

Port = Annotated[int, typer.Option(help="Listen on this port from now on.")]


@app.command()
@command
def init(
    name: Annotated[str, typer.Argument(help="Public name of the node.")],
    home: HomeOption = None,
    description: Annotated[str, typer.Option(help="Describe the documents in one sentence.")] = "",
    model: Annotated[str, typer.Option(help="Use this embedding model, a hub id or a folder.")] = DEFAULT_MODEL,
    licence: Annotated[str, typer.Option(help="Set the SPDX licence of documents without their own.")] = "",
    host: Annotated[str, typer.Option(help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Listen on this port instead of the next free one.")] = 0,
    endpoint: Annotated[str, typer.Option(help="Announce this public URL of the node.")] = "",
    rate: Annotated[float, typer.Option(min=0, help="Limit searches a second for each client; 0: no limit.")] = 10.0,
    bandwidth: Annotated[float, typer.Option(min=0, help="Limit MiB a second for each client; 0: no limit.")] = 8.0,
    index: Annotated[str, typer.Option(help="Use the LangChain vector store that module:function opens.")] = "",
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Create a node: a folder with its settings and its key."""
    from ..node import create_node

    config = NodeConfig(
        name=name,
        description=description,
        profile=profile or "",
        model=model,
        licence=licence,
        host=host,
        port=port or free_port(),
        endpoint=endpoint,
        index=index,
        rate=rate,
        bandwidth=bandwidth,
    )
    node = create_node(home or node_home(name), config)
    if as_json:
        print_json({"name": name, "home": str(node.folder), "address": node.signer.address, "port": config.port})
    else:
        out.print(f"node {shown(name)} in {shown(str(node.folder))}, key {node.signer.address}")
        out.print("next: `knet node add folder:DIR`, then `knet node up`")


@app.command()
@command
def add(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Sources to add, e.g. folder:docs or sitemap:https://…")
    ],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="Set an option key=value of these sources.")
    ] = None,
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Add sources of documents."""
    from ..sources.base import parse_source

    opened = open_node(node, home)
    options = dict(_pair(text) for text in option or [])
    new = [SourceConfig(spec=parse_source(spec, **options).name, options=options) for spec in specs]
    kept = [source for source in opened.config.sources if source.spec not in {entry.spec for entry in new}]
    opened.configure(sources=[*kept, *new])
    _show_sources(opened, as_json)


@app.command()
@command
def remove(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Sources to remove, as `knet node status` lists them.")
    ],
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove sources; the next sync removes their documents."""
    from ..sources.base import parse_source

    opened = open_node(node, home)
    known = {source.spec for source in opened.config.sources}
    removed = {spec if spec in known else parse_source(spec).name for spec in specs}
    if unknown := removed - known:
        raise ConfigError(
            f"{', '.join(sorted(unknown))} is not a source of node {opened.name}.",
            hint="`knet node status` lists its sources.",
        )
    opened.configure(sources=[source for source in opened.config.sources if source.spec not in removed])
    _show_sources(opened, as_json)


Lines = Annotated[bool, typer.Option("--lines", help="Print progress as JSON lines on stdout, one a second.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="Publish this document although it seems to hold a secret (repeatable)."),
]
Retry = Annotated[bool, typer.Option(help="Read skipped documents again that did not change.")]


@app.command()
@command
def sync(
    name: NodeArgument = "",
    home: HomeOption = None,
    retry: Retry = False,
    executor: Annotated[str, typer.Option(help="Read and embed with local, ray or ray://HOST:PORT.")] = "local",
    allow: Allow = None,
    as_json: AsJson = False,
    lines: Lines = False,
) -> None:
    """Index changes of the sources. An interrupted sync continues where it stopped.

    Documents that seem to hold secrets end it with their list, and nothing is published until each is removed, ignored
    or allowed.
    """
    node = open_node(name, home)
    _allow(node, allow)
    report = _sync(node, retry, lines, executor=executor)
    _report(report, as_json, _show_sync)


@app.command()
@command
def publish(
    name: NodeArgument = "",
    home: HomeOption = None,
    compact: Annotated[bool, typer.Option(help="Rewrite all shards without removed passages.")] = False,
    pin: Annotated[list[PinTarget] | None, typer.Option(help="Keep a copy there (repeatable).")] = None,
    kubo: Kubo = "",
    car: Car = None,
    service: Service = "",
    token: Token = "",
    as_json: AsJson = False,
    lines: Lines = False,
) -> None:
    """Publish the indexed documents on IPFS and on the chain; with --pin, keep a copy while this machine is off."""
    node = open_node(name, home)
    pin_all = plan_pins(node, pin or [], kubo=kubo, car=car, service=service, token=token)
    report = _publish(node, compact, lines)
    pins = pin_all()
    if as_json:
        print_json({**_plain(report), "pins": [_plain(each) for each in pins]} if pin else report)
        return
    _show_publish(report)
    for each in pins:
        out.print(f"{each.status} at {shown(each.where)}: {each.root}")


@app.command()
@command
def serve(name: NodeArgument = "", home: HomeOption = None, port: Port = 0, as_json: AsJson = False) -> None:
    """Answer questions over HTTP until stopped."""
    node = open_node(name, home)
    if port:
        node.configure(port=port)
    _serve(node, as_json)


@app.command()
@command
def up(
    name: NodeArgument = "",
    home: HomeOption = None,
    port: Port = 0,
    retry: Retry = False,
    every: Annotated[float, typer.Option(help="Sync and publish again after this many seconds; 0: never.")] = 0,
    attached: Annotated[bool, typer.Option(help="Stop when standard input closes.")] = False,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """Sync, publish and serve. With --json, print one line for the progress and the end of each phase.

    A node that has published before answers at once, and syncs meanwhile.
    """
    from ..publication.identity import is_head_on_chain

    if attached:
        stop_with_parent()
    node = open_node(name, home)
    _allow(node, allow)
    if port:
        node.configure(port=port)
    if not retry and is_head_on_chain(node):
        _serve(node, as_json, every, at_once=True)
        return
    synced = _sync(node, retry, as_json)
    _report(synced, as_json, _show_sync, phase="sync")
    _report(_publish(node, False, as_json), as_json, _show_publish, phase="publish")
    _serve(node, as_json, every)


@app.command()
@command
def status(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """Show the documents, publications and skipped documents of a node."""
    from .status import read_status

    found = read_status(open_node(name, home))
    if as_json:
        print_json(found)
        return
    table = Table(show_header=False, box=None)
    for field, value in _plain(found).items():
        if field not in ("skipped", "sources"):
            table.add_row(field.replace("_", " "), shown(str(value)))
    for source in found.sources:
        table.add_row("source", shown(source))
    out.print(table)
    if found.skipped:
        out.print(f"[yellow]{len(found.skipped)} skipped[/]: run `knet node skipped`")


@app.command()
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


app.command()(forget)


@app.command()
@command
def gc(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """Delete blocks that neither the last two manifests nor the indexed documents need."""
    from ..publication.gc import collect_garbage

    report = collect_garbage(open_node(name, home))
    if as_json:
        print_json(report)
    else:
        out.print(f"deleted {report.blocks} blocks ({report.bytes:,} bytes) and {report.vectors} vectors")


# --- parts -------------------------------------------------------------------------------------------------------


def _allow(node: Node, names: list[str] | None) -> None:
    """Remember documents that may be published although they seem to hold secrets."""
    if names:
        added = [allowed_name(name, [source.spec for source in node.config.sources]) for name in names]
        node.configure(allow=sorted({*node.config.allow, *added}))


def _sync(node: Node, retry: bool, lines: bool = False, executor: str = "local") -> SyncReport:
    from ..ingest.sync import sync

    with json_lines() if lines else progress_bars() as progress:
        return sync(node, progress=progress, retry=retry, executor=executor)


def _publish(node: Node, compact: bool, lines: bool = False) -> PublishReport:
    from ..publication.publish import publish

    with json_lines() if lines else progress_bars() as progress:
        return publish(node, progress=progress, compact=compact)


def _serve(node: Node, as_json: bool, every: float = 0, *, at_once: bool = False) -> None:
    from ..publication.identity import announce_endpoint
    from ..server.run import serve
    from .watch import resyncing

    def published(report: PublishReport) -> None:
        _report(report, as_json, _show_publish, phase="publish")

    def failed(error: KnetError) -> None:
        console.print(f"[yellow]warning:[/] {shown(error.described)}")

    def ready() -> None:
        if as_json:
            print_json({"phase": "serve", "name": node.name, "endpoint": node.config.public_endpoint})
        else:
            out.print(f"serving {shown(node.name)} at {shown(node.config.public_endpoint)} (Ctrl-C stops)")

    try:
        with node.open_state() as state:
            announce_endpoint(node, state)
    except ChainError as error:
        failed(error)
    with resyncing(node, every, at_once=at_once, on_publish=published, on_error=failed):
        serve(node, ready)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"option {text!r} has no value.", hint="Write key=value.")
    return key, value


def _plain(record: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record, enc_hook=str)
    return plain


def _show_sources(node: Node, as_json: bool) -> None:
    if as_json:
        print_json({"sources": [_plain(source) for source in node.config.sources]})
    else:
        for source in node.config.sources:
            out.print(shown(" ".join([source.spec, *(f"{key}={value}" for key, value in source.options.items())])))


def _show_sync(report: SyncReport) -> None:
    out.print(
        f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged; "
        f"{report.chunks} passages, {report.embedded} embedded in {report.seconds:.1f} s"
    )
    if report.skipped:
        out.print(f"[yellow]{len(report.skipped)} skipped[/]: run `knet node skipped`")


def _report(report: R, as_json: bool, show: Callable[[R], None], *, phase: str = "") -> None:
    """Print a report as JSON, or show it to people. ``phase`` marks one of several JSON lines."""
    if as_json:
        print_json({"phase": phase, **_plain(report)} if phase else report)
    else:
        show(report)


def _show_publish(report: PublishReport) -> None:
    if not report.transaction:
        out.print(f"nothing changed since manifest {report.sequence} of node {report.node}")
        show_withdrawal(report)
        return
    out.print(
        f"node {report.node} published manifest {report.sequence}: {report.documents} documents, "
        f"{report.chunks} passages in {report.shards} shards ({report.added} added, {report.removed} removed)"
    )
    out.print(f"{report.manifest}", soft_wrap=True)
    show_withdrawal(report)
