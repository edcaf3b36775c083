"""`knet demo`: ask a network of real nodes, verify and rate the answers; a falsified node loses reliability."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from knet.cli.common import AsJson, command, console, out, print_json, shown
from knet.errors import ConfigError

from .owners import OWNERS, QUESTIONS, Owner

if TYPE_CHECKING:
    from knet.answer.live import LiveAnswer
    from knet.client.network import Network
    from knet.routing.node_info import NodeInfo

    from .network import OnProgress

REPEATED_SECONDS = 2.0  # until a signal that had no effect is sent again
_EXITS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has one

app = typer.Typer(help="Run the whole network on this machine over real documentation.")


@app.callback(invoke_without_command=True)
@command
def demo(
    keep: Annotated[bool, typer.Option(help="Keep the network running until Ctrl-C.")] = False,
    fresh: Annotated[bool, typer.Option(help="Delete the files of an earlier demo.")] = True,
    tour: Annotated[bool, typer.Option(help="Ask, verify and rate, or only start the network.")] = True,
    owner: Annotated[
        list[str] | None,
        typer.Option(help=f"Start only this node (repeatable): {', '.join(o.name for o in OWNERS)}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start nodes, ask, verify, rate, and show reliability move on chain."""
    from knet.client.network import connect

    from .network import DemoNetwork

    started = time.perf_counter()
    _exit_on_signals()
    network = DemoNetwork(_owners(owner or []))
    try:
        with _progress_bars() as show:
            profile = network.start(show, fresh=fresh)
        if tour:
            with connect(profile) as net:
                summary = _tour(net, started)
            if as_json:
                print_json(summary)
            else:
                out.print(_sentence(summary))
        if keep:
            console.print("The network is running: `knet ask --profile demo ...` asks it. Ctrl-C stops it.")
            threading.Event().wait()
    finally:
        _ignore_signals()
        network.stop()


def _owners(names: list[str]) -> list[Owner]:
    known = {owner.name: owner for owner in OWNERS}
    for name in names:
        if name not in known:
            raise ConfigError(f"demo owner {name!r} does not exist.", hint=f"Name one of {', '.join(known)}.")
        if (mirrored := known[name].mirrors) and mirrored not in names:
            raise ConfigError(f"demo owner {name} copies {mirrored}.", hint=f"Add --owner {mirrored}.")
    return [known[name] for name in names] or OWNERS


@contextmanager
def _progress_bars() -> Iterator[OnProgress]:
    """Show one progress bar for each node."""
    title_column, phase_column = TextColumn("{task.description:<26}"), TextColumn("{task.fields[phase]}")
    tasks: dict[str, TaskID] = {}
    with Progress(title_column, BarColumn(), phase_column, TimeElapsedColumn(), console=console) as bars:

        def show(title: str, phase: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=None, phase=phase)
            if phase in ("serve", "ready"):
                done = total = 1
            bars.update(tasks[title], phase=phase, completed=done, total=total or None)

        yield show


def _tour(net: Network, started: float) -> dict[str, object]:
    from .reader import DocumentationReader

    reader = DocumentationReader()
    before = net.nodes()
    _show_nodes("The network", before)
    first_answer, answers, verified, valid = 0.0, 0, 0, 0
    misled = QUESTIONS[0]  # the last question with a falsified passage in its answer
    for question in QUESTIONS:
        answer = net.ask(question, max_nodes="all")
        first_answer = first_answer or time.perf_counter() - started
        _show_answer(question, answer)
        answers += answer.found
        verified += sum(node.hits for node in answer.nodes)
        report = answer.verify()
        valid += not report.failed
        out.print(f"  verified again: {report}")
        if answer.found:
            misled = misled if reader.is_true(answer) else question
            for node, value in reader.ratings(answer).items():
                net.rate(answer, value, passage=node)
    out.print(f"\nRating {len(net.ratings.pending())} receipts, each against the installed documentation ...")
    for transaction in net.ratings.flush():
        out.print(f"  on chain in transaction {transaction}")
    _show_nodes("After the ratings", net.nodes(), before)
    again = net.ask(misled, max_nodes="all")
    out.print("\nA wrongly answered question again, with the new reliability on chain:")
    _show_answer(misled, again)
    return {
        "nodes": len(before),
        "questions": len(QUESTIONS) + 1,
        "answers": answers + again.found,
        "passages_verified": verified + sum(node.hits for node in again.nodes),
        "answers_checked_again": valid,
        "seconds_to_first_answer": round(first_answer, 1),
    }


def _sentence(summary: dict[str, object]) -> str:
    return (
        "\nknet demo: {nodes} nodes, {questions} questions, {answers} answers, {passages_verified} passages verified, "
        "first answer after {seconds_to_first_answer} s".format(**summary)
    )


def _show_answer(question: str, answer: LiveAnswer) -> None:
    out.print(f"\n[bold cyan]? {shown(question)}[/]")
    out.print(f"[bold]{shown(answer.text)}[/]")
    cited = {citation.passage for sentence in answer.sentences for citation in sentence.citations}
    for number in sorted(cited):
        passage = answer.passages[number]
        rated = passage.reliability
        out.print(
            f"  [{number + 1}] {shown(passage.title)} ({shown(passage.uri)} {passage.start}-{passage.end}), node "
            f"{passage.provenance.node}, similarity {passage.scores['dense']:.2f}, "
            f"reliability {rated.mean:.2f} ± {rated.deviation:.2f}",
            highlight=False,
        )
    statuses = ", ".join(f"{n.title}: {n.status} {n.milliseconds:.0f} ms" for n in answer.nodes)
    out.print(f"  [dim]{shown(statuses)}; {answer.record.milliseconds:.0f} ms in all[/]")


def _show_nodes(title: str, nodes: list[NodeInfo], before: list[NodeInfo] | None = None) -> None:
    table = Table("node", "owner", "documents", "chunks", "ratings", "reliability", title=title)
    earlier = {info.node: info.reliability for info in before or []}
    for info in nodes:
        moved = f" (was {earlier[info.node]:.2f})" if info.node in earlier else ""
        table.add_row(
            str(info.node), shown(info.title), str(info.documents), str(info.chunks), str(info.ratings),
            f"{info.reliability:.2f} ± {info.deviation:.2f}{moved}",
        )  # fmt: skip
    out.print(table)


def _exit_on_signals() -> None:
    """Exit as `sys.exit` does on SIGTERM and SIGHUP, so that the started processes are stopped.

    Python drops an exception that a handler raises within a finalizer: the signal is sent again until it counts.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        again = threading.Timer(REPEATED_SECONDS, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        sys.exit(128 + number)

    for each in _EXITS:
        signal.signal(each, leave)


def _ignore_signals() -> None:
    """Let nothing interrupt the end of the network, which takes some seconds."""
    for each in _EXITS:
        signal.signal(each, signal.SIG_IGN)
