"""Keep a node that serves up to date with its sources: sync and publish, over and over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from knet.errors import KnetError

from ..ingest.sync import sync
from ..node import Node
from ..publication.publish import PublishReport, publish

STOP_SECONDS = 5.0  # for what is under way when the node is stopped; a sync that is cut off resumes


@contextmanager
def resyncing(
    node: Node,
    seconds: float,
    *,
    at_once: bool = False,
    on_publish: Callable[[PublishReport], None] = lambda report: None,
    on_error: Callable[[KnetError], None] = lambda error: None,
) -> Iterator[None]:
    """While the block runs, sync and publish every so often from a thread; ``seconds`` 0: never again.

    The first time is after so many seconds, or ``at_once``.

    Settings that another process changed are taken up. Errors (a chain that is away, a node that is being worked on)
    are told, and the next round tries again.
    """
    over = threading.Event()

    def once() -> None:
        try:
            node.reload()
            sync(node)
            report = publish(node)
            if report.changed:
                on_publish(report)
        except KnetError as error:
            on_error(error)

    def watch() -> None:
        if at_once:
            once()
        while seconds > 0 and not over.wait(seconds):
            once()

    thread = threading.Thread(target=watch, name=f"knet-watch-{node.name}", daemon=True)
    if seconds > 0 or at_once:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join(STOP_SECONDS)
