"""The `knet` command. Other packages add sub-commands through the entry-point group ``knet.commands``."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .. import __version__
from ..codec import to_json, to_plain
from ..config import home
from ..errors import ConfigError
from ..files import write_atomically
from .common import AsJson, ProfileName, command, console, out, print_json, shown
from .content import app as content_app
from .dsi import app as dsi_app
from .mcp import app as mcp_app
from .network import app as network_app
from .trust import app as trust_app

if TYPE_CHECKING:
    from ..answer.live import LiveAnswer
    from ..answer.report import VerificationReport
    from ..client.network import Network
    from ..records import Answer, NodeStatus, Passage

app = typer.Typer(
    name="knet",
    help="Ask a knowledge network without an owner, and see where every sentence comes from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(content_app)
app.add_typer(mcp_app)
app.add_typer(network_app, name="network")
app.add_typer(trust_app, name="trust")
app.add_typer(dsi_app, name="dsi")

AnswerFile = Annotated[
    Path | None, typer.Option("--answer", "-a", help="A saved answer (JSON); the last one asked if not given.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"knet {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None: ...


@app.command()
@command
def ask(
    question: str,
    k: Annotated[int, typer.Option("--passages", "-k", help="Passages to return.")] = 8,
    nodes_asked: Annotated[
        int | None, typer.Option("--ask", help="Nodes to ask; 0 asks all. By default as many as are likely to matter.")
    ] = None,
    node: Annotated[list[int] | None, typer.Option(help="Ask only this node (repeatable).")] = None,
    private: Annotated[
        bool, typer.Option(help="Fetch published shards and search here: no node learns the question.")
    ] = False,
    thorough: Annotated[
        bool, typer.Option(help="Also embed the best candidates sentence by sentence, which takes longer.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Show every score, and why each node was asked.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the answer here as JSON.")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Ask the network; print the answer with its sources, checks and per-node status."""
    with _connect(profile) as net, console.status("reading the network from the chain ...") as status:

        def tell(node: NodeStatus) -> None:
            status.update(f"asking: {shown(node.title)} {node.status} in {node.milliseconds:.0f} ms")

        answer = net.ask(
            question,
            k=k,
            ask=nodes_asked,
            nodes=node or [],
            private=private,
            thorough=thorough,
            on_status=tell,
        )
        filling = _filling(net)
    for path in (save, _last_answer()):
        if path is not None:
            write_atomically(path, answer.to_json().encode())
    if as_json:
        print_json(to_plain(answer.record) | ({"coverage": filling} if filling else {}))
    else:
        _show(answer, explain)


@app.command()
@command
def verify(
    answer: Annotated[
        Path | None,
        typer.Argument(help="A saved answer (JSON), or a notebook (.ipynb); the last one asked if not given."),
    ] = None,
    embed: Annotated[bool, typer.Option(help="Also embed every passage again.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Check every claim of a saved answer again: receipts, proofs, texts, scores, citations. Exit 1 unless all hold:
    also where something could not be reached, and where a model wrote the answer, whose wording nothing can prove.

    Of a notebook, every answer it holds is checked, and that what the notebook shows is what was answered.
    """
    if answer is not None and answer.suffix == ".ipynb":
        _verify_notebook(answer, embed, profile, as_json)
        return
    record = _load(answer)
    with _connect(profile) as net, console.status("checking every claim ..."):
        report = net.verify(record, embed=embed)
    if as_json:
        print_json(report)
    else:
        _show_report(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
@command
def rate(
    verdict: Annotated[str, typer.Argument(help="up or down.")],
    passage: Annotated[int | None, typer.Option(help="Only this passage, counted from 1.")] = None,
    answer: AnswerFile = None,
    flush: Annotated[bool, typer.Option(help="Put queued ratings on chain now.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Rate the last answer, or one of its passages; the verdict goes on chain with the receipts that entitle you."""
    if verdict not in ("up", "down"):
        raise typer.BadParameter("up or down", param_hint="verdict")
    record = _load(answer)
    with _connect(profile) as net, console.status("writing to the chain ..."):
        queued = net.rate(record, 1.0 if verdict == "up" else -1.0, passage=passage)
        sent = net.flush_ratings() if flush else []
    if as_json:
        print_json({"rated": [r.receipt.receipt.node for r in queued], "transactions": sent})
        return
    rated = ", ".join(f"node {r.receipt.receipt.node} {r.value:+d}" for r in queued)
    out.print(f"rated {rated}" + (f"; on chain in {', '.join(sent)}" if sent else "; queued, not on chain yet"))


@app.command()
@command
def nodes(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """List the network's nodes with what they hold and how reliable they have proven."""
    with _connect(profile) as net, console.status("reading the network from the chain ..."):
        found = net.nodes()
        _filling(net)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    table = Table("node", "title", "documents", "chunks", "version", "reliability", "ratings", "problem")
    for info in found:
        table.add_row(
            str(info.node),
            shown(info.title),
            str(info.documents),
            str(info.chunks),
            str(info.sequence),
            f"{info.reliability:.2f} ± {info.deviation:.2f}",
            str(info.ratings),
            shown(info.problem),
        )
    out.print(table)


class Format(StrEnum):
    """What an answer can be exported as."""

    PROV = "prov"
    RO_CRATE = "ro-crate"


@app.command()
@command
def export(
    answer: Annotated[
        Path | None, typer.Argument(help="A saved answer (JSON); the last one asked if not given.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="PROV-O as JSON-LD, or an RO-Crate.")] = Format.PROV,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout if not given.")] = None,
    chain: Annotated[bool, typer.Option(help="Look up the transactions that published what was quoted.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Export where an answer came from: W3C PROV-O (JSON-LD), or an RO-Crate 1.2 archive with the answer in it."""
    from ..answer.ro_crate import prov_jsonld, ro_crate

    record = _load(answer)
    if format is Format.RO_CRATE and output is None:
        raise typer.BadParameter("an RO-Crate is an archive: name a file", param_hint="--output")
    with ExitStack() as stack:
        heads = stack.enter_context(_connect(profile)).chain.manifests.heads if chain else None
        if format is Format.PROV:
            data = to_json(prov_jsonld(record, heads=heads), indent=2).encode() + b"\n"
        else:
            data = ro_crate(record, heads=heads)
    if output is None:
        print(data.decode(), end="")
        return
    write_atomically(output, data)
    if as_json:
        print_json({"written": str(output), "format": format, "bytes": len(data)})
    else:
        out.print(f"wrote {escape(str(output))} ({len(data)} bytes)")


def _connect(profile: str | None) -> Network:
    from ..client.network import connect  # here, so that `knet --help` stays quick

    return connect(profile)


def _filling(net: Network) -> dict[str, int] | None:
    """How much is known of a big network that is still being read, told to people and returned for programs."""
    if not net.filling:
        return None
    coverage = net.coverage()
    console.print("[dim]{} of {} nodes are known so far; the others are still being read[/]".format(*coverage))
    return dict(zip(("known", "published"), coverage, strict=True))


def _last_answer() -> Path:
    return home() / "last-answer.json"


def _load(path: Path | None) -> Answer:
    from ..answer.live import load_answer

    return load_answer(path or _last_answer())


def _show(answer: LiveAnswer, explain: bool) -> None:
    text, _, facts = str(answer).partition("\n\n")
    out.print(f"[{'bold' if answer.found else 'yellow'}]{escape(text)}[/]\n")
    out.print(escape(facts))
    if not explain:
        return
    names = list(dict.fromkeys(name for passage in answer.passages for name in passage.shares))
    title = "what each retriever gave (and what that adds to the score)"
    table = Table("passage", "node", "score", *names, title=title)
    for number, passage in enumerate(answer.passages, 1):
        given = [_given(passage, name) for name in names]
        table.add_row(str(number), str(passage.provenance.node), f"{passage.score:.2f}", *given)
    out.print(table)
    for node in answer.nodes:
        out.print(f"node {node.node} {shown(node.title)}: {node.status} ({escape(node.why)})")


def _given(passage: Passage, name: str) -> str:
    share = f"{passage.shares.get(name, 0):+.2f}"
    return f"{passage.scores[name]:.3f} ({share})" if name in passage.scores else share


def _show_report(report: VerificationReport) -> None:
    marks = {True: "[green]holds[/]", False: "[red]FAILS[/]", None: "[yellow]not checked[/]"}
    table = Table("claim", "about", "", "detail")
    for check in report.checks:
        table.add_row(check.claim, escape(check.subject), marks[check.ok], shown(check.detail))
    out.print(table)
    out.print(str(report))


def _verify_notebook(path: Path, embed: bool, profile: str | None, as_json: bool) -> None:
    from ..answer.notebook import read_notebook, verify_notebook

    notebook = read_notebook(path)
    with _connect(profile) as net, console.status("checking every claim ..."):
        reports = verify_notebook(notebook, lambda record: net.verify(record, embed=embed))
    if not reports:
        raise ConfigError(f"{path} holds no answer of knet's.", hint="Save it with its outputs.")
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            out.print(f"[bold]cell {report.cell + 1}: {shown(report.question)}[/]")
            _show_report(report)
        held = sum(report.ok for report in reports)
        out.print(f"{held} of {len(reports)} answers hold in every claim")
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _mount() -> None:
    """Add the sub-commands of installed packages."""
    for entry in entry_points(group="knet.commands"):
        app.add_typer(entry.load(), name=entry.name)


def main() -> None:
    """Entry point of the `knet` script."""
    _mount()
    app()
