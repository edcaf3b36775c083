"""`knet trust`: stake behind the user's ratings, audits of other raters, and trust in nodes and accounts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from ..config import Profile, load_profile
from ..errors import ConfigError, NotRegistered, TransactionFailed
from .common import AsJson, ProfileName, command, connect, console, out, print_json, print_result, shown, write_file
from .content import sources

if TYPE_CHECKING:
    from ..chain.batches import Batch
    from ..chain.evm import EvmChain
    from ..chain.keys import Signer
    from ..rating.audit import Finding, SourceOf
    from ..rating.replication import LeafSources
    from ..records import Reputation
    from ..trust.history import History, Point

SHOWN_POINTS = 20  # of one node in a terminal; --json has all

app = typer.Typer(
    help="Show the trust in nodes and accounts; bond ether behind your ratings; audit other raters.",
    no_args_is_help=True,
)

Ether = Annotated[str, typer.Argument(help="An amount of ether, such as 0.1.")]


@app.command()
@command
def status(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Show your stake, the influence left this week, rewards of challenges, and leaves that you must reveal."""
    from ..rating.stake import ether

    chain, signer = _chain(load_profile(profile))
    stake, demands = (
        chain.reliability.stake(signer.address),
        chain.reliability.open_challenges(signer.address),
    )
    reward = chain.reliability.reward(signer.address)
    if as_json:
        print_json(
            {
                "rater": signer.address,
                "standing": stake,
                "influence": stake.influence,
                "demands": demands,
                "reward": reward,
            }
        )
        return
    out.print(f"{signer.address}: {ether(stake.bond)} ether at stake, {stake.batches} batches submitted")
    out.print(f"influence left in this epoch: {stake.influence / 100:g} full ratings")
    if stake.free_at > time.time():
        out.print(f"the bond is free again on {_utc(stake.free_at)} UTC")
    if reward.amount:
        free = _utc(reward.free_at)
        out.print(f"{ether(reward.amount)} ether earned by challenges; `knet trust claim` takes it from {free} UTC on")
    for demand in demands:
        until = _utc(demand.deadline)
        out.print(f"[yellow]leaf {demand.index} of batch {demand.number} must be revealed by {until} UTC[/]")
    if demands:
        out.print("run `knet trust reveal`, or the batch stops counting")


@app.command()
@command
def bond(amount: Ether, profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Put ether at stake: 1 ether buys 1,000 full ratings a week. False ratings lose it; `unbond` returns it."""
    wei = _wei(amount)
    chain, signer = _chain(load_profile(profile))
    _show_sent(chain.reliability.bond(signer, wei), f"{amount} ether bonded", as_json)


@app.command()
@command
def unbond(amount: Ether, profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Take ether back, once your last batch can no longer be challenged."""
    wei = _wei(amount)
    chain, signer = _chain(load_profile(profile))
    _show_sent(chain.reliability.unbond(signer, wei), f"{amount} ether taken back", as_json)


@app.command()
@command
def claim(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Take your rewards of challenges, in the week after the last one."""
    chain, signer = _chain(load_profile(profile))
    _show_sent(chain.reliability.claim(signer), "claimed", as_json)


@app.command()
@command
def reveal(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """Reveal the leaves of your batches that auditors demanded."""
    from ..rating.disputes import respond_to_challenges

    loaded = load_profile(profile)
    chain, signer = _chain(loaded)
    with sources(loaded) as source:
        sent = respond_to_challenges(chain, signer, signer.address, source, chain.time())
    text = f"{len(sent)} leaves revealed" if sent else "no leaf of your batches was demanded"
    print_result(sent, text, as_json)


@app.command()
@command
def audit(
    rater: Annotated[str, typer.Option(help="Audit only this rater's batches.")] = "",
    challenge: Annotated[bool, typer.Option(help="Prove each fault on chain, and earn half the bond.")] = False,
    demand: Annotated[
        bool, typer.Option(help="Demand a leaf of each batch that cannot be read, and close earlier demands.")
    ] = False,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Check every batch that can still be challenged, with each receipt. Exit with 1 if a batch is wrong."""
    from ..rating.disputes import follow_up

    loaded = load_profile(profile)
    chain, signer = _chain(loaded)
    with _leaves(loaded, chain) as leaves, console.status("checking every rating ..."):
        checked, findings = _audited(chain, leaves.of, rater)
    closed = follow_up(chain, signer, chain.time()) if demand else []
    asked = (
        {(each.rater, each.number) for each in chain.reliability.open_challenges(challenger=signer.address)}
        if demand
        else set()
    )
    transactions = [
        _act(chain, signer, found, challenge, demand and (found.batch.rater, found.batch.number) not in asked)
        for found in findings
    ]
    if as_json:
        done = [*closed, *(each for each in transactions if each)]
        print_json({"batches": checked, "findings": findings, "transactions": done})
    else:
        for found, transaction in zip(findings, transactions, strict=True):
            batch = found.batch
            sent = f"; {transaction}" if transaction else ""
            out.print(f"batch {batch.number} of {batch.rater}: [red]{shown(found.reason)}[/]{sent}")
        if closed:
            out.print(f"{len(closed)} of your demands closed: {', '.join(closed)}")
        out.print(f"{checked} batches checked, {len(findings)} wrong or withheld")
    if findings:
        raise typer.Exit(1)


@contextmanager
def _leaves(profile: Profile, chain: EvmChain) -> Iterator[LeafSources]:
    """Open the sources of all raters' leaves."""
    from ..http import HttpClient
    from ..rating.replication import LeafSources

    entries = {node: entry for node, entry in chain.registry_snapshot().nodes.items() if entry.head is not None}
    with sources(profile) as kept, HttpClient(addresses=profile.addresses) as http:
        yield LeafSources(http, kept.local, lambda: entries, *kept.sources)


def _audited(chain: EvmChain, source: SourceOf, rater: str) -> tuple[int, list[Finding]]:
    from ..chain.reliability import WINDOW_SECONDS
    from ..rating.audit import audit_batch

    kept: list[Batch] = [
        batch for batch in chain.reliability.batches(rater or None) if chain.reliability.is_active(batch)
    ]
    closed = max(int(time.time()), chain.time()) - WINDOW_SECONDS
    recent = [batch for batch in kept if batch.submitted_at >= closed]
    findings = [audit_batch(chain, source, batch, kept) for batch in recent]
    return len(recent), [found for found in findings if found]


def _act(chain: EvmChain, signer: Signer, found: Finding, challenge: bool, demand: bool) -> str:
    """Challenge or demand, if requested; return the transaction, or the reason of its failure."""
    from ..rating.audit import challenge as act

    if not (demand if found.kind == "withheld" else challenge):
        return ""
    try:
        return act(chain, signer, found)
    except TransactionFailed as error:  # such as after another auditor's challenge
        return str(error)


def _chain(profile: Profile) -> tuple[EvmChain, Signer]:
    from ..chain.devchain import fund
    from ..chain.evm import open_chain
    from ..chain.keys import load_or_create_key

    signer = load_or_create_key(profile.path("key"))
    if profile.addresses == "loopback":
        fund(profile.rpc, signer.address)
    return open_chain(profile), signer


def _wei(amount: str) -> int:
    try:
        wei = Decimal(amount) * 10**18
    except InvalidOperation:
        wei = Decimal(-1)
    if not wei.is_finite() or wei <= 0 or wei != wei.to_integral_value():
        raise ConfigError(f"{amount[:80]!r} is not an amount of ether.", hint="Use a number above 0, such as 0.1.")
    return int(wei)


def _show_sent(transaction: str, done: str, as_json: bool) -> None:
    print_result({"transaction": transaction}, f"{done} in transaction {transaction}", as_json)


@app.command()
@command
def why(
    node: Annotated[int, typer.Argument(help="The node's number.")],
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Explain your trust in a node: its parts, and the path of ratings to it."""
    with connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = net.trust.of(node)
    if as_json:
        print_json(found)
        return
    out.print(f"node {found.node} {shown(found.title)}: reliability {_number(found.reliability)}")
    out.print(f"  on chain: {_number(found.on_chain)}, {found.on_chain.count} ratings")
    out.print(f"  agreement with other sources in your answers: {_number(found.agreed)}, {found.agreed.count} times")
    out.print(f"  usefulness to you: {_number(found.usefulness)}, asked {found.usefulness.count} times")
    out.print(f"  {shown(found.why)}")


@app.command()
@command
def accounts(profile: ProfileName = None, as_json: AsJson = False) -> None:
    """List the accounts that you trust, by walks over the graph of ratings from your own ones."""
    with connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = net.trust.people()
    if as_json:
        print_json(found)
        return
    for account in found:
        owned = f", owner of node {', '.join(map(str, account.owns))}" if account.owns else ""
        out.print(f"{account.score:.3f}  {account.address}{owned}\n       {shown(account.why)}")
    if not found:
        out.print("No accounts yet: rate an answer up to trust the owners of its sources.")


@app.command()
@command
def history(
    node: Annotated[int | None, typer.Option(help="Show only this node, batch by batch.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write charts to this HTML file.")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Show every node's reliability on chain, and its usefulness to you, over time."""
    from ..trust.history_html import page

    with connect(profile) as net, console.status("reading ratings from the chain ..."):
        found = [each for each in net.trust.history() if node in (None, each.node)]
    if node is not None and not found:
        raise NotRegistered(f"There is no node {node} on {net.profile.name}.")
    if html is not None:
        write_file(html, page(net.profile.name, found).encode())
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
    rate: Annotated[bool, typer.Option(help="Also put the ratings on chain.")] = False,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Ask every node questions with known answers, and update your beliefs about the nodes."""
    from ..trust.probes import load_probes

    probes = load_probes(file)
    with connect(profile) as net:
        results = [net.trust.probe(each, rate=rate) for each in track(probes, "probing", console=console)]
        sent = net.ratings.flush() if rate and net.ratings.pending() else []
    if as_json:
        print_json({"probes": results, "transactions": sent})
        return
    table = Table("node", "right", "wrong", "no outcome", title=f"{len(probes)} probes")
    for number in sorted({number for each in results for number in each.outcomes}):
        own = [each.outcomes[number] for each in results if number in each.outcomes]
        right, wrong = sum(value > 0 for value in own), sum(value < 0 for value in own)
        table.add_row(str(number), str(right), str(wrong), str(len(probes) - len(own)))
    out.print(table)
    if sent:
        out.print(f"on chain in {', '.join(sent)}")


def _show_nodes(found: list[History]) -> None:
    from ..trust.history_html import sparkline

    table = Table("node", "title", "reliability", "over time", "batches", "last batch", "usefulness", "over time")
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
            _utc(point.time), f"{point.mean:.2f} ± {point.deviation:.2f}",
            f"{point.positive:g}", f"{point.negative:g}", f"{point.number} of {point.rater}", point.transaction,
        )  # fmt: skip
    out.print(table if table.row_count else "No ratings yet.")


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _newest(points: list[Point]) -> str:
    return f"{points[-1].mean:.2f} ± {points[-1].deviation:.2f}" if points else "unknown"


def _number(known: Reputation) -> str:
    return f"{known.mean:.2f} ± {known.deviation:.2f}"
