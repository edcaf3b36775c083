"""The `knet` command; other packages add sub-commands through the entry-point group ``knet.commands``."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .. import __version__
from ..answer.render import NODE_COLUMNS, node_cells
from ..codec import to_json, to_plain
from ..config import home
from ..errors import ConfigError
from ..routing.options import parse_max_nodes
from .common import (
    AsJson,
    ProfileName,
    command,
    connect,
    console,
    out,
    print_json,
    print_json_text,
    print_result,
    shown,
    write_file,
)
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
    help="Ask a decentralised knowledge network, and see the source of every sentence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(content_app)
app.add_typer(mcp_app)
app.add_typer(network_app, name="network")
app.add_typer(trust_app, name="trust")
app.add_typer(dsi_app, name="dsi")

AnswerFile = Annotated[
    Path | None, typer.Option("--answer", "-a", help="Use this saved answer (JSON) instead of the last one.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"knet {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
@command
def ask(
    question: str,
    k: Annotated[int, typer.Option("--passages", "-k", help="Passages to return.")] = 8,
    max_nodes: Annotated[
        str,
        typer.Option(metavar="auto|all|N", help="Ask at most this many nodes; auto: as many as are likely to matter."),
    ] = "auto",
    node: Annotated[list[int] | None, typer.Option(help="Ask only this node (repeatable).")] = None,
    private: Annotated[
        bool, typer.Option(help="Fetch published shards and search here: no node learns the question.")
    ] = False,
    rerank_sentences: Annotated[
        bool, typer.Option(help="Also embed the best candidates sentence by sentence, which takes longer.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Show every score, and why each node was asked.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the answer here as JSON.")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Ask the network; print the answer with its sources, checks and per-node status."""
    with connect(profile) as net, console.status("reading the network from the chain ...") as status:

        def tell(node: NodeStatus) -> None:
            status.update(f"asking: {shown(node.title)} {node.status} in {node.milliseconds:.0f} ms")

        answer = net.ask(
            question,
            k=k,
            max_nodes=parse_max_nodes(max_nodes),
            nodes=node or [],
            private=private,
            rerank_sentences=rerank_sentences,
            on_status=tell,
        )
        filling = _filling(net)
    for path in (save, _last_answer()):
        if path is not None:
            write_file(path, answer.to_json().encode())
    if as_json:
        print_json(to_plain(answer.record) | ({"coverage": filling} if filling else {}))
    else:
        _show(answer, explain)


@app.command()
@command
def verify(
    answer: Annotated[
        Path | None,
        typer.Argument(help="A saved answer (JSON), or a notebook (.ipynb); the last answer if not given."),
    ] = None,
    embed: Annotated[bool, typer.Option(help="Also embed every passage again.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Verify every claim of a saved answer: receipts, proofs, texts, scores, citations.

    Exit with 1 unless all claims hold. A claim that cannot be checked does not hold, such as the wording of a chat
    model. In a notebook, verify every answer, and that the notebook shows the answer's record.
    """
    if answer is not None and answer.suffix == ".ipynb":
        _verify_notebook(answer, embed, profile, as_json)
        return
    record = _load(answer)
    with connect(profile) as net, console.status("checking every claim ..."):
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
    rating: Annotated[str, typer.Argument(help="up or down.")],
    passage: Annotated[int | None, typer.Option(help="Rate only this passage, counted from 1.")] = None,
    answer: AnswerFile = None,
    flush: Annotated[bool, typer.Option(help="Put queued ratings on chain now.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Rate the last answer, or one of its passages; the rating goes on chain with the receipts that allow it."""
    if rating not in ("up", "down"):
        raise ConfigError(f"{rating[:80]!r} is not a rating.", hint="Use up or down.")
    record = _load(answer)
    with connect(profile) as net, console.status("writing to the chain ..."):
        queued = net.rate(record, 1.0 if rating == "up" else -1.0, passage=passage)
        sent = net.ratings.flush() if flush else []
    rated = ", ".join(f"node {r.receipt.receipt.node} {r.value:+d}" for r in queued)
    text = f"rated {rated}" + (f"; on chain in {', '.join(sent)}" if sent else "; queued, not on chain yet")
    print_result({"rated": [r.receipt.receipt.node for r in queued], "transactions": sent}, text, as_json)


@app.command()
@command
def nodes(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """List the network's nodes with their content and reliability."""
    with connect(profile) as net, console.status("reading the network from the chain ..."):
        found = net.nodes()
        _filling(net)
    if as_json:
        print_json(found)
        return
    table = Table(*NODE_COLUMNS)
    for info in found:
        table.add_row(*map(shown, node_cells(info)))
    out.print(table)


class Format(StrEnum):
    """An export format of answers."""

    PROV = "prov"
    RO_CRATE = "ro-crate"


@app.command()
@command
def export(
    answer: Annotated[Path | None, typer.Argument(help="A saved answer (JSON); the last answer if not given.")] = None,
    format: Annotated[
        Format, typer.Option("--format", "-f", help="Write PROV-O as JSON-LD, or an RO-Crate.")
    ] = Format.PROV,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    chain: Annotated[bool, typer.Option(help="Look up the transactions that published the manifests.")] = True,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Export the provenance of an answer: W3C PROV-O (JSON-LD), or an RO-Crate 1.2 archive with the answer."""
    from ..answer.prov import prov_jsonld
    from ..answer.ro_crate import ro_crate

    if format is Format.RO_CRATE and output is None:
        raise ConfigError("--format ro-crate: an RO-Crate is an archive.", hint="Write it to a file with --output.")
    record = _load(answer)
    with ExitStack() as stack:
        heads = stack.enter_context(connect(profile)).chain.manifests.heads if chain else None
        if format is Format.PROV:
            data = to_json(prov_jsonld(record, heads=heads), indent=2).encode() + b"\n"
        else:
            data = ro_crate(record, heads=heads)
    if output is None:
        print_json_text(data.decode(), end="")
        return
    write_file(output, data)
    result = {"written": str(output), "format": format, "bytes": len(data)}
    print_result(result, f"wrote {shown(str(output))} ({len(data)} bytes)", as_json)


def _filling(net: Network) -> dict[str, int] | None:
    """Print and return the coverage of a large network that is still being read; None otherwise."""
    known, published, reading = net.coverage()
    if not reading:
        return None
    console.print(f"[dim]{known} of {published} nodes are known so far; the others are still being read[/]")
    return {"known": known, "published": published}


def _last_answer() -> Path:
    return home() / "last-answer.json"


def _load(path: Path | None) -> Answer:
    from ..answer.live import load_answer

    return load_answer(path or _last_answer())


def _show(answer: LiveAnswer, explain: bool) -> None:
    lines = [shown(line) for line in str(answer).split("\n")]
    written = answer.text.count("\n") + 1  # lines of the text itself
    text = "\n".join(lines[:written])
    out.print(f"[{'bold' if answer.found else 'yellow'}]{text}[/]")
    out.print("\n".join(lines[written:]))
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
        out.print(f"node {node.node} {shown(node.title)}: {node.status} ({shown(node.why)})")


def _given(passage: Passage, name: str) -> str:
    share = f"{passage.shares.get(name, 0):+.2f}"
    return f"{passage.scores[name]:.3f} ({share})" if name in passage.scores else share


def _show_report(report: VerificationReport) -> None:
    marks = {True: "[green]holds[/]", False: "[red]FAILS[/]", None: "[yellow]not checked[/]"}
    table = Table("claim", "about", "", "detail")
    for check in report.checks:
        table.add_row(check.claim, shown(check.subject), marks[check.ok], shown(check.detail))
    out.print(table)
    out.print(shown(str(report)))


def _verify_notebook(path: Path, embed: bool, profile: str | None, as_json: bool) -> None:
    from ..answer.notebook import read_notebook, verify_notebook

    notebook = read_notebook(path)
    with connect(profile) as net, console.status("checking every claim ..."):
        reports = verify_notebook(notebook, lambda record: net.verify(record, embed=embed))
    if not reports:
        raise ConfigError(f"{path} has no answers of knet.", hint="Save the notebook with its outputs.")
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            out.print(f"[bold]cell {report.cell + 1}: {shown(report.question)}[/]")
            _show_report(report)
        held = sum(report.ok for report in reports)
        out.print(f"{held} of {len(reports)} answers pass every check")
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _mount() -> None:
    """Add the sub-commands of other installed packages."""
    for entry in entry_points(group="knet.commands"):
        app.add_typer(entry.load(), name=entry.name)


def main() -> None:
    """Entry point of the `knet` script."""
    _mount()
    app()
