"""Who holds connections and asks nothing, or does not read what it asked for, does not keep a node from others."""

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
    """Its connections are a node's; ``/large`` is more than any buffer holds, ``/some`` than a small socket's."""
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
    """Whether the other side hangs up; waits for it."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("said", [b"", ASK[:20]])
def test_who_never_finishes_a_request_is_hung_up_on(
    said: bytes, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    first = connect()
    first.sendall(said)
    assert is_ended(first)


def test_the_second_request_of_a_connection_has_its_time_too(
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


def test_who_does_not_read_is_hung_up_on(connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_who_leaves_the_end_of_a_reply_unread_is_hung_up_on(
    port: int, monkeypatch: pytest.MonkeyPatch, server: uvicorn.Server
) -> None:
    """What is left is less than makes a server wait with writing; it only never gets rid of the connection."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.3)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        reader.connect(("127.0.0.1", port))
        reader.sendall(b"GET /some HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        until = time.monotonic() + PATIENT
        while not server.server_state.connections:
            assert time.monotonic() < until
        while server.server_state.connections:
            assert time.monotonic() < until, "it is held for ever"
            time.sleep(0.05)


def test_who_reads_slowly_is_served(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 2.0)
    with httpx.stream("GET", f"http://127.0.0.1:{port}/large", timeout=PATIENT) as reply:
        received = 0
        for piece in reply.iter_raw(8 << 20):
            received += len(piece)
            time.sleep(0.1)
    assert received == 64 << 20


def test_one_client_cannot_have_every_connection(
    connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PER_CLIENT", 3)
    connect().sendall(ASK)
    monkeypatch.setattr(connections, "client_key", lambda host: host)  # else this machine is nobody's client
    held = [connect() for _ in range(2)]
    for each in held:
        each.sendall(ASK)
        assert b"here" in each.recv(1 << 16)
    assert is_ended(connect())


def test_beyond_the_limit_the_node_says_when_to_come_again(
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
