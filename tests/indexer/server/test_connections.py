"""Connection limits: idle clients and clients that do not read do not block a node."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse

from knet_indexer.server import connections
from knet_indexer.server.connections import Connection

from .test_app import assert_problem

PATIENT = 30.0
ASK = b"GET /small HTTP/1.1\r\nHost: node\r\n\r\n"


@pytest.fixture
def server() -> uvicorn.Server:
    """A server with a node's connections; ``/large`` exceeds any buffer, ``/some`` a small socket's."""
    app = FastAPI()
    app.get("/some")(lambda: Response(bytes(3 << 20)))
    app.get("/small")(lambda: "here")
    app.get("/large")(lambda: StreamingResponse(bytes(1 << 20) for _ in range(64)))
    return uvicorn.Server(uvicorn.Config(app, http=Connection, log_level="critical"))


@pytest.fixture
def port(server: uvicorn.Server) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield bound.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def connect(port: int) -> Iterator[Callable[[], socket.socket]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENT))


def is_ended(connection: socket.socket) -> bool:
    """Wait until the other side closes the connection, and return True."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", ASK[:20]])
def test_unfinished_request_is_aborted(
    sent: bytes, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    first = connect()
    first.sendall(sent)
    assert is_ended(first)


def test_each_request_of_a_connection_has_its_own_timeout(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    kept = connect()
    for _ in range(3):
        kept.sendall(ASK)
        assert b"here" in kept.recv(1 << 16)
        time.sleep(0.5)  # together longer than one request may take
    kept.sendall(ASK[:20])
    assert is_ended(kept)


def test_client_that_does_not_read_is_aborted(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    reader = connect()
    reader.sendall(b"GET /large HTTP/1.1\r\nHost: node\r\n\r\n")
    time.sleep(1.5)
    received = 0
    try:
        while piece := reader.recv(1 << 20):
            received += len(piece)
    except ConnectionResetError:
        pass
    assert received < 64 << 20


def test_client_that_leaves_a_reply_unread_is_aborted(
    port: int, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    """The rest is less than the write buffer: the server does not wait with writing, but keeps the connection."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.3)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.connect(("127.0.0.1", port))
        reader.sendall(b"GET /some HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        until = time.monotonic() + PATIENT
        while not server.server_state.connections:
            assert time.monotonic() < until
        while server.server_state.connections:
            assert time.monotonic() < until, "the connection stays open"
            time.sleep(0.05)


def test_slow_reader_is_served(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 2.0)
    with httpx.stream("GET", f"http://127.0.0.1:{port}/large", timeout=PATIENT) as reply:
        received = 0
        for piece in reply.iter_raw(8 << 20):
            received += len(piece)
            time.sleep(0.1)
    assert received == 64 << 20


def test_connections_of_one_client_are_limited(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PER_CLIENT", 3)
    connect().sendall(ASK)
    monkeypatch.setattr(connections, "client_key", lambda host: host)  # otherwise this machine has no limit
    held = [connect() for _ in range(2)]
    for each in held:
        each.sendall(ASK)
        assert b"here" in each.recv(1 << 16)
    assert is_ended(connect())


def test_connections_over_the_limit_get_a_retry_time(
    port: int, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    held = [connect() for _ in range(2)]
    for each in held:
        each.sendall(ASK)
        assert b"here" in each.recv(1 << 16)
    refused = httpx.get(f"http://127.0.0.1:{port}/small", timeout=PATIENT)
    assert_problem(refused, 503, "too many connections")
    assert refused.headers["retry-after"] == "1"
    for each in held:
        each.close()
    while httpx.get(f"http://127.0.0.1:{port}/small", timeout=PATIENT).status_code != 200:
        time.sleep(0.05)
