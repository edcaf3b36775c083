"""`knet trust why|people|history|probe`: what you believe of nodes, where it comes from, and finding out more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from .cli_support import AsJson, ProfileName, command, console, out, print_json, shown
from .files import write_atomically

if TYPE_CHECKING:
    from .query.network import Network
    from .records import Reputation
    from .trust.history import History, Point

app = typer.Typer()

SHOWN_POINTS = 20  # of one node in a terminal; --json has them all


@app.command()
@command
def why(node: int, profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Show how far you trust a node, part by part, and why."""
    with _connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = net.trusted(node)
    if as_json:
        print_json(found)
        return
    out.print(f"node {found.node} {shown(found.title)}: reliability {_number(found.reliability)}")
    out.print(f"  on chain: {_number(found.on_chain)}, {found.on_chain.count} ratings")
    out.print(f"  borne out by other sources in your answers: {_number(found.agreed)}, {found.agreed.count} times")
    out.print(f"  of use to you: {_number(found.usefulness)}, asked {found.usefulness.count} times")
    out.print(f"  {shown(found.why)}")


@app.command()
@command
def people(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """List the accounts you trust, by walks over who rated whom that start from your own ratings."""
    with _connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = net.people()
    if as_json:
        print_json(found)
        return
    for person in found:
        owned = f", who owns node {', '.join(map(str, person.owns))}" if person.owns else ""
        out.print(f"{person.score:.3f}  {person.address}{owned}\n       {shown(person.why)}")
    if not found:
        out.print("Nobody yet: rate an answer up, and its sources' owners are where your trust begins.")


@app.command()
@command
def history(
    node: Annotated[int | None, typer.Option(help="Only this node, batch by batch.")] = None,
    html: Annotated[Path | None, typer.Option(help="Draw it into this file, for a browser.")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Show every node's reliability on chain, and its usefulness to you, over time."""
    from .trust.picture import page

    with _connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = [each for each in net.histories() if node in (None, each.node)]
    if html is not None:
        write_atomically(html, page(net.profile.name, found).encode())
    if as_json:
        print_json(found)
    elif html is not None:
        out.print(f"{html} shows {len(found)} nodes")
    elif node is not None:
        _show_points(found)
    else:
        _show_nodes(found)


@app.command()
@command
def probe(
    file: Annotated[Path, typer.Argument(help='JSON lines: {"question": ..., "answers": [...], "wrong": [...]}.')],
    rate: Annotated[bool, typer.Option(help="Put the verdicts on chain too, where they count for everybody.")] = False,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Ask every node questions whose answers you know, and learn who was right."""
    from .trust.probes import load_probes

    probes = load_probes(file)
    with _connect(profile) as net:
        judged = [net.probe(each, rate=rate) for each in track(probes, "probing", console=console)]
        sent = net.flush_ratings() if rate and net.pending_ratings() else []
    if as_json:
        print_json({"probes": judged, "transactions": sent})
        return
    table = Table("node", "right", "wrong", "not judged", title=f"{len(probes)} probes")
    for number in sorted({number for each in judged for number in each.outcomes}):
        own = [each.outcomes[number] for each in judged if number in each.outcomes]
        right, wrong = sum(value > 0 for value in own), sum(value < 0 for value in own)
        table.add_row(str(number), str(right), str(wrong), str(len(probes) - len(own)))
    out.print(table)
    if sent:
        out.print(f"on chain in {', '.join(sent)}")


def _connect(profile: str | None) -> Network:
    from .query.network import connect

    return connect(profile)


def _show_nodes(found: list[History]) -> None:
    from .trust.picture import sparkline

    table = Table("node", "title", "reliability", "over time", "batches", "last batch", "of use", "over time")
    for each in found:
        last = each.reliability[-1].transaction[:12] + "…" if each.reliability else ""
        table.add_row(
            str(each.node), shown(each.title), _newest(each.reliability), sparkline(each.reliability),
            str(len(each.reliability)), last, _newest(each.usefulness), sparkline(each.usefulness),
        )  # fmt: skip
    out.print(table)


def _show_points(found: list[History]) -> None:
    table = Table("time (UTC)", "reliability", "for", "against", "batch", "transaction")
    for point in [point for each in found for point in each.reliability][-SHOWN_POINTS:]:
        table.add_row(
            time.strftime("%Y-%m-%d %H:%M", time.gmtime(point.time)), f"{point.mean:.2f} ± {point.deviation:.2f}",
            f"{point.positive:g}", f"{point.negative:g}", f"{point.number} of {point.rater}", point.transaction,
        )  # fmt: skip
    out.print(table if table.row_count else "Nobody rated it yet.")


def _newest(points: list[Point]) -> str:
    return f"{points[-1].mean:.2f} ± {points[-1].deviation:.2f}" if points else "unknown"


def _number(known: Reputation) -> str:
    return f"{known.mean:.2f} ± {known.deviation:.2f}"
