"""Dead, refusing, limiting and malformed RPCs: each ends soon in a knet error without secrets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.codec import DAG_CBOR, Cid
from knet.config import Deployment, Profile
from knet.errors import ChainError, ChainUnreachable, ConfigError

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SOMEWHERE = Deployment(chain_id=1, identity=ADDRESS, manifests=ADDRESS, reliability=ADDRESS)
Reply = Callable[[bytes], tuple[int, bytes]]


@contextmanager
def server(reply: Reply) -> Iterator[str]:
    """Run a web server on this machine that answers every POST with ``reply``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join()


def all_calls(chain: EvmChain) -> list[Callable[[], object]]:
    key = new_key()
    return [
        chain.registry_snapshot,
        lambda: chain.manifests.heads(1),
        lambda: chain.identity.signer_of(1),
        lambda: chain.reliability.scores([1]),
        lambda: chain.identity.register(key, "http://127.0.0.1:1"),
        lambda: chain.identity.set_endpoint(key, 1, "http://127.0.0.1:1"),
        lambda: chain.set_wallet(key, 1, key),
        lambda: chain.manifests.publish(key, 1, 1, Cid.of(b"", DAG_CBOR)),
        lambda: chain.reliability.submit(key, bytes(32), Cid.of(b"", DAG_CBOR), [], 0),
        lambda: chain.reliability.stake(key.address),
        lambda: chain.reliability.batches(key.address),
    ]


def test_dead_chain_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for method in all_calls(EvmChain(url, SOMEWHERE)):
            with pytest.raises(ChainUnreachable, match=f"{url} does not answer"):
                method()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>It works!</html>"),
        (200, b""),
        (200, b"\xff\xff"),
        (200, b"[]"),
        (200, b'{"jsonrpc": "2.0", "id": 0}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "result": {"a": 1}}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "result": null}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": "no"}}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "error": "no"}'),
        (401, b"key?"),
        (429, b"slow down"),
        (502, b"bad gateway"),
    ],
)
def test_malformed_reply_is_a_chain_error(status: int, body: bytes) -> None:
    with server(lambda _: (status, body)) as url:
        for method in all_calls(EvmChain(url, SOMEWHERE)):
            with pytest.raises(ChainError):
                method()


def test_secrets_in_the_url_are_not_in_errors() -> None:
    with server(lambda _: (403, b"")) as url:
        chain = EvmChain(url.replace("//", "//user:hunter2@") + "/v3/c0ffee", SOMEWHERE)
        with pytest.raises(ChainError) as caught:
            chain.identity.signer_of(1)
    assert "hunter2" not in str(caught.value)
    assert "c0ffee" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ws://127.0.0.1:1", "http://[::1", "localhost:8545"])
def test_malformed_url_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError):
        EvmChain(url, SOMEWHERE)


def test_log_pages_shrink_to_the_limit_of_the_rpc(
    devnet: Profile, chain: EvmChain, new_account: Callable[[], Signer]
) -> None:
    """Public RPCs limit the blocks of one eth_getLogs, each to another number and with another message."""
    owner = new_account()
    node = chain.identity.register(owner, "http://127.0.0.1:1")
    for sequence in range(1, 9):
        chain.manifests.publish(owner, node, sequence, Cid.of(b"%d" % sequence, DAG_CBOR))
    refused = []

    def limited(body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        if request["method"] == "eth_getLogs":
            query = request["params"][0]
            if int(query["toBlock"], 16) - int(query["fromBlock"], 16) >= 3:
                refused.append(query)
                error = {"code": -32005, "message": "block range is too wide"}
                return 200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()
        answer = requests.post(devnet.rpc, data=body, headers={"Content-Type": "application/json"}, timeout=30)
        reply = answer.json()
        for log in reply["result"] if request["method"] == "eth_getLogs" else ():
            del log["blockTimestamp"]  # not every RPC sends it
        return answer.status_code, json.dumps(reply).encode()

    with server(limited) as url:
        through = EvmChain(url, chain.deployment)
        assert through.manifests.heads(node) == chain.manifests.heads(node)
        assert through.registry_snapshot() == chain.registry_snapshot()
    assert refused
