"""Faulty RPC: a proxy before a real chain that drops, delays and changes replies as tests choose."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Json = dict[str, Any]
Fault = Callable[[Json, Callable[[], Json]], Json | None]  # the request, what forwards it; None drops the connection


class FaultyRpc:
    """Proxy from ``url`` to ``upstream`` with ``faults`` by method. ``seen`` counts the requests of each method."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.url = ""
        self.faults: dict[str, Fault] = {}
        self.seen: Counter[str] = Counter()
        self.dead = False

    def ask(self, method: str, *params: Any) -> Any:
        """Call a method of the chain itself."""
        reply = self.forward({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        assert "error" not in reply, reply
        return reply["result"]

    def forward(self, request: Json) -> Json:
        reply: Json = requests.post(self.upstream, json=request, timeout=30).json()
        return reply

    def answer(self, request: Json) -> Json | None:
        if self.dead:
            return None
        self.seen[request["method"]] += 1
        fault = self.faults.get(request["method"])
        return fault(request, lambda: self.forward(request)) if fault else self.forward(request)


def first(times: int, fault: Fault) -> Fault:
    """Return a fault that ends after so many requests."""
    left = [times]

    def sometimes(request: Json, forward: Callable[[], Json]) -> Json | None:
        left[0] -= 1
        return fault(request, forward) if left[0] >= 0 else forward()

    return sometimes


def drop_before(request: Json, forward: Callable[[], Json]) -> None:
    """Drop a request before the chain receives it."""


def drop_after(request: Json, forward: Callable[[], Json]) -> None:
    """Forward a request and drop the reply."""
    forward()


def dying(rpc: FaultyRpc) -> Fault:
    """Return a fault that forwards a request, drops the reply and closes the RPC."""

    def die(request: Json, forward: Callable[[], Json]) -> None:
        forward()
        rpc.dead = True

    return die


@contextmanager
def unmined(rpc: FaultyRpc) -> Iterator[None]:
    """Stop automatic mining during the block, and mine the waiting transactions at its end."""
    rpc.ask("evm_setAutomine", False)
    try:
        yield
    finally:
        rpc.ask("evm_setAutomine", True)
        rpc.ask("evm_mine")


def saying(result: Any) -> Fault:
    """Return a fault that replies with ``result`` without the chain."""
    return lambda request, forward: {"jsonrpc": "2.0", "id": request["id"], "result": result}


@contextmanager
def faulty(upstream: str) -> Iterator[FaultyRpc]:
    rpc = FaultyRpc(upstream)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = rpc.answer(request)
            if reply is None:
                self.close_connection = True
                self.connection.close()
                return
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def finish(self) -> None:
            if not self.wfile.closed and self.connection.fileno() >= 0:
                super().finish()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        rpc.url = f"http://127.0.0.1:{running.server_address[1]}"
        try:
            yield rpc
        finally:
            running.shutdown()
            thread.join()
