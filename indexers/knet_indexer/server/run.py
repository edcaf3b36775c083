"""The server of a node's service: in this process until a signal, or in a thread beside other work."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from knet.errors import ConfigError, IndexerError

from ..node import Node
from .app import create_app
from .connections import MAX_CONNECTIONS, Connection

KEEP_ALIVE = 60  # seconds; longer than clients keep theirs, so that the client closes first
STOP_SECONDS = 5  # for requests in progress when a signal arrives
START_SECONDS = 120.0  # to load and verify a large collection


def listen(node: Node) -> socket.socket:
    """Return a listening socket on the node's host and port. Raises ConfigError when the port is taken."""
    host, port = node.config.host, node.config.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(MAX_CONNECTIONS)
    except (OSError, OverflowError) as error:
        bound.close()
        raise ConfigError(
            f"node {node.name} cannot listen on {host}:{port}: {error}.", hint="Choose another --port."
        ) from error
    return bound


class _Server(uvicorn.Server):
    """A server that calls ``on_ready`` when it accepts requests."""

    on_ready: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


def make_server(node: Node) -> _Server:
    """Return the web server of a node, not started."""
    return _Server(
        uvicorn.Config(
            create_app(node),
            http=Connection,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )


def serve(node: Node, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError when the port is taken."""
    with listen(node) as bound:
        server = make_server(node)
        server.on_ready = on_ready
        server.run(sockets=[bound])


@contextmanager
def serving(node: Node, bound: socket.socket | None = None) -> Iterator[str]:
    """Serve from a thread while the block runs, and yield the node's URL. ``bound`` is a listening socket to use.

    Raises ConfigError when the port is taken, and IndexerError when the server does not start.
    """
    bound = bound or listen(node)
    server = make_server(node)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name=f"knet-node-{node.name}")
    thread.start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise IndexerError(f"node {node.name} did not start on {bound.getsockname()}.")
            time.sleep(0.01)
        yield node.config.public_endpoint
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
