"""Keep a node that serves up to date with its sources: sync and publish, over and over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from knet.errors import KnetError

from .node import Node
from .publish import PublishReport, publish
from .sync import sync


@contextmanager
def watching(
    node: Node,
    seconds: float,
    *,
    on_publish: Callable[[PublishReport], None] = lambda report: None,
    on_error: Callable[[KnetError], None] = lambda error: None,
) -> Iterator[None]:
    """While the block runs, sync and publish every so often from a thread; ``seconds`` 0 does nothing.

    Settings that another process changed are taken up. Errors (a chain that is away, a node that is being worked on)
    are told, and the next round tries again.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            try:
                node.reload()
                sync(node)
                report = publish(node)
                if report.changed:
                    on_publish(report)
            except KnetError as error:
                on_error(error)

    thread = threading.Thread(target=watch, name=f"knet-watch-{node.name}", daemon=True)
    if seconds > 0:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
