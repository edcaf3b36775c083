"""Periodic sync and publication of a node that serves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from knet.errors import KnetError, SourceError

from ..ingest.sync import sync
from ..node import Node
from ..publication.publish import PublishReport, publish

STOP_SECONDS = 5.0  # for the current round when the node stops; an interrupted sync resumes later


@contextmanager
def resyncing(
    node: Node,
    seconds: float,
    *,
    at_once: bool = False,
    on_publish: Callable[[PublishReport], None] = lambda report: None,
    on_error: Callable[[KnetError], None] = lambda error: None,
) -> Iterator[None]:
    """Sync and publish every ``seconds`` from a thread while the block runs; 0 means never again.

    The first round starts ``at_once`` or after that time. Settings that another process changed are reloaded. Errors
    (an unreachable chain, a busy node) go to ``on_error``, and the next round tries again. So does each source that
    could not be listed, once.
    """
    stopped = threading.Event()
    failing: set[str] = set()

    def run_round() -> None:
        try:
            node.reload()
            failures = dict(sync(node).account.failures)
            for part in failures.keys() - failing:
                on_error(SourceError(f"{part}: {failures[part]}"))
            failing.clear()
            failing.update(failures)
            report = publish(node)
            if report.changed or report.withdrawn:
                on_publish(report)
        except KnetError as error:
            on_error(error)

    def watch() -> None:
        if at_once:
            run_round()
        while seconds > 0 and not stopped.wait(seconds):
            run_round()

    thread = threading.Thread(target=watch, name=f"knet-watch-{node.name}", daemon=True)
    if seconds > 0 or at_once:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if thread.is_alive():
            thread.join(STOP_SECONDS)
