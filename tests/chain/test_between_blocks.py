"""Repetition of reads that fail because the chain has just moved to another block."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knet.chain.rpc import READ_PAUSES, Rpc
from knet.errors import ChainError

RACE = {"code": -32603, "message": "BlockOutOfRangeError: block height is 7 but requested was 6"}


class Chain(BaseHTTPRequestHandler):
    """RPC that refuses the first ``refusals`` reads, as Anvil does when another transaction arrives."""

    refusals = 0
    asked = 0

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked += 1
        reply = {"error": RACE} if self.asked <= self.refusals else {"result": "0x1"}
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def rpc() -> Iterator[Rpc]:
    Chain.refusals = Chain.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chain)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Rpc(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_read_between_two_blocks_is_repeated(rpc: Rpc) -> None:
    Chain.refusals = 2
    assert rpc.request("eth_call", []) == "0x1"
    assert Chain.asked == 3


def test_chain_that_never_catches_up_raises_an_error(rpc: Rpc) -> None:
    Chain.refusals = 1000
    with pytest.raises(ChainError, match="block height"):
        rpc.request("eth_call", [])
    assert Chain.asked == len(READ_PAUSES) + 1


def test_transaction_is_never_repeated(rpc: Rpc) -> None:
    Chain.refusals = 1
    with pytest.raises(ChainError):
        rpc.request("eth_sendRawTransaction", ["0x00"])
    assert Chain.asked == 1
