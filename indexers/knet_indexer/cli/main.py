"""`knet node`: run a node over one's own documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from knet.cli.common import AsJson, ProfileName, command, console, out, print_json
from knet.config import DEFAULT_MODEL
from knet.errors import ChainError, ConfigError, KnetError

from ..config import NodeConfig, SourceConfig, free_port, node_home
from .common import Bars, HomeOption, JsonLines, NodeArgument, NodeOption, open_node, stop_with_parent
from .pin import Car, Kubo, PinTarget, Service, Token, plan_pins

if TYPE_CHECKING:
    from ..ingest.sync import SyncReport
    from ..node import Node
    from ..publication.publish import PublishReport

app = typer.Typer(help="Run a node: index your documents, publish them, answer questions.", no_args_is_help=True)

Port = Annotated[int, typer.Option(help="Listen on another port from now on.")]


@app.command()
@command
def init(
    name: Annotated[str, typer.Argument(help="The node's name, which others see.")],
    home: HomeOption = None,
    description: Annotated[str, typer.Option(help="One sentence on what it is about.")] = "",
    model: Annotated[str, typer.Option(help="Embedding model: a hub id or a folder.")] = DEFAULT_MODEL,
    licence: Annotated[str, typer.Option(help="Licence of the documents that name none, as SPDX.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; the next free one if not given.")] = 0,
    endpoint: Annotated[str, typer.Option(help="URL under which others reach the node.")] = "",
    rate: Annotated[float, typer.Option(min=0, help="Searches a second for one client; 0: any number.")] = 10.0,
    bandwidth: Annotated[float, typer.Option(min=0, help="MiB a second for one client to fetch; 0: any.")] = 8.0,
    index: Annotated[str, typer.Option(help="module:function that opens a LangChain vector store.")] = "",
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
        out.print(f"node {escape(name)} in {escape(str(node.folder))}, key {node.signer.address}")
        out.print("next: `knet node add folder:DIR`, then `knet node up`")


@app.command()
@command
def add(
    specs: Annotated[list[str], typer.Argument(metavar="SPEC...", help="Such as folder:docs or sitemap:https://…")],
    option: Annotated[list[str] | None, typer.Option("--option", "-o", help="key=value for these sources.")] = None,
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
    specs: Annotated[list[str], typer.Argument(metavar="SPEC...", help="As `knet node status` lists them.")],
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove sources; the next sync forgets their documents."""
    from ..sources.base import parse_source

    opened = open_node(node, home)
    known = {source.spec for source in opened.config.sources}
    gone = {spec if spec in known else parse_source(spec).name for spec in specs}
    if unknown := gone - known:
        raise ConfigError(f"{', '.join(sorted(unknown))} is no source of node {opened.name}.")
    opened.configure(sources=[source for source in opened.config.sources if source.spec not in gone])
    _show_sources(opened, as_json)


Lines = Annotated[bool, typer.Option("--lines", help="How far it is, as a JSON line a second on stdout.")]


@app.command()
@command
def sync(
    name: NodeArgument = "",
    home: HomeOption = None,
    retry: Annotated[bool, typer.Option(help="Also read skipped documents that did not change.")] = False,
    executor: Annotated[str, typer.Option(help="Who reads and embeds: local, ray or ray://HOST:PORT.")] = "local",
    as_json: AsJson = False,
    lines: Lines = False,
) -> None:
    """Index what changed in the sources. Interrupted, it goes on where it stopped."""
    report = _sync(open_node(name, home), retry, lines, executor=executor)
    if as_json:
        print_json(report)
    else:
        _show_sync(report)


@app.command()
@command
def publish(
    name: NodeArgument = "",
    home: HomeOption = None,
    compact: Annotated[bool, typer.Option(help="Write all shards anew, without what was removed.")] = False,
    pin: Annotated[list[PinTarget] | None, typer.Option(help="Also keep it there (repeatable).")] = None,
    kubo: Kubo = "",
    car: Car = None,
    service: Service = "",
    token: Token = "",
    as_json: AsJson = False,
    lines: Lines = False,
) -> None:
    """Put what was indexed on IPFS and on the chain; with --pin, also where it stays when this machine is off."""
    node = open_node(name, home)
    keep = plan_pins(node, pin or [], kubo=kubo, car=car, service=service, token=token)
    report = _publish(node, compact, lines)
    kept = keep()
    if as_json:
        print_json({**_plain(report), "pins": [_plain(each) for each in kept]} if pin else report)
        return
    _show_publish(report)
    for each in kept:
        out.print(f"{each.status} at {escape(each.where)}: {each.root}")


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
    retry: Annotated[bool, typer.Option(help="Also read skipped documents that did not change.")] = False,
    every: Annotated[float, typer.Option(help="Sync and publish again every so many seconds; 0 never.")] = 0,
    attached: Annotated[bool, typer.Option(help="Stop when standard input closes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sync, publish and serve. With --json, one line as each phase goes on and one as it is done.

    A node that has published before answers at once, and syncs while it does.
    """
    from ..publication.identity import is_head_on_chain

    if attached:
        stop_with_parent()
    node = open_node(name, home)
    if port:
        node.configure(port=port)
    if not retry and is_head_on_chain(node):
        _serve(node, as_json, every, at_once=True)
        return
    synced = _sync(node, retry, as_json)
    if as_json:
        print_json({"phase": "sync", **_plain(synced)})
    else:
        _show_sync(synced)
    published = _publish(node, False, as_json)
    if as_json:
        print_json({"phase": "publish", **_plain(published)})
    else:
        _show_publish(published)
    _serve(node, as_json, every)


@app.command()
@command
def status(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """Show what a node holds, what it published, and what it could not read."""
    from .status import read_status

    found = read_status(open_node(name, home))
    if as_json:
        print_json(found)
        return
    table = Table(show_header=False, box=None)
    for field, value in _plain(found).items():
        if field not in ("skipped", "sources"):
            table.add_row(field.replace("_", " "), escape(str(value)))
    for source in found.sources:
        table.add_row("source", escape(source))
    out.print(table)
    if found.skipped:
        out.print(f"[yellow]{len(found.skipped)} skipped[/]; `knet node skipped` lists them")


@app.command()
@command
def skipped(name: NodeArgument = "", home: HomeOption = None, as_json: AsJson = False) -> None:
    """List documents that could not be read, with the reason."""
    from .status import read_status

    found = read_status(open_node(name, home)).skipped
    if as_json:
        print_json([{"uri": uri, "reason": reason} for uri, reason in found])
        return
    for uri, reason in found:
        out.print(f"{escape(uri)}: {escape(reason)}")


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


def _sync(node: Node, retry: bool, lines: bool = False, executor: str = "local") -> SyncReport:
    from ..ingest.sync import sync

    with JsonLines() if lines else Bars() as progress:
        return sync(node, progress=progress, retry=retry, executor=executor)


def _publish(node: Node, compact: bool, lines: bool = False) -> PublishReport:
    from ..publication.publish import publish

    with JsonLines() if lines else Bars() as progress:
        return publish(node, progress=progress, compact=compact)


def _serve(node: Node, as_json: bool, every: float = 0, *, at_once: bool = False) -> None:
    from ..publication.identity import announce_endpoint
    from ..server.run import serve
    from .watch import resyncing

    def published(report: PublishReport) -> None:
        if as_json:
            print_json({"phase": "publish", **_plain(report)})
        else:
            _show_publish(report)

    def failed(error: KnetError) -> None:
        console.print(f"[yellow]warning:[/] {escape(str(error))}")

    def ready() -> None:
        if as_json:
            print_json({"phase": "serve", "name": node.name, "endpoint": node.config.public_endpoint})
        else:
            out.print(f"serving {escape(node.name)} at {node.config.public_endpoint} (Ctrl-C stops)")

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
        raise ConfigError(f"{text!r} is no option.", hint="Write key=value.")
    return key, value


def _plain(record: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record, enc_hook=str)
    return plain


def _show_sources(node: Node, as_json: bool) -> None:
    if as_json:
        print_json({"sources": [_plain(source) for source in node.config.sources]})
    else:
        for source in node.config.sources:
            out.print(escape(" ".join([source.spec, *(f"{key}={value}" for key, value in source.options.items())])))


def _show_sync(report: SyncReport) -> None:
    out.print(
        f"{report.added} added, {report.changed} changed, {report.removed} removed, {report.unchanged} unchanged; "
        f"{report.chunks} passages, {report.embedded} embedded in {report.seconds:.1f} s"
    )
    if report.skipped:
        out.print(f"[yellow]{len(report.skipped)} skipped[/]; `knet node skipped` lists them")


def _show_publish(report: PublishReport) -> None:
    if not report.transaction:
        out.print(f"nothing changed since manifest {report.sequence} of node {report.node}")
        return
    out.print(
        f"node {report.node} published manifest {report.sequence}: {report.documents} documents, "
        f"{report.chunks} passages in {report.shards} shards ({report.added} added, {report.removed} removed)"
    )
    out.print(f"{report.manifest}", soft_wrap=True)
