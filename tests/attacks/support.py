"""Hostile nodes: a web server in front of an honest node's service that tampers with replies.

A hostile node is registered, has published and holds its key; only its replies are false. It signs them where it can,
so that the intended check finds the attack.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_bytes
from urllib.parse import urlsplit

from msgspec.structs import replace

from knet.chain.keys import Signer
from knet.chain.receipts import sign_receipt
from knet.codec import DAG_CBOR, Cid, decode, encode
from knet.config import Deployment
from knet.index.collection import results_root
from knet.records import Hit, Receipt, SearchReply, SearchRequest, SignedReceipt, chunk_leaf
from knet.search.transport import MEDIA_TYPE

FORWARD_SECONDS = 60.0
PASSED_ON = ("Content-Type", "Accept")


class Exchange:
    """One request to a hostile node, and the actions open to it."""

    def __init__(self, handler: BaseHTTPRequestHandler, behind: str, over: threading.Event) -> None:
        self.method = handler.command
        self.path = handler.path
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.over = over
        self._handler = handler
        self._headers = {name: handler.headers[name] for name in PASSED_ON if name in handler.headers}
        self._behind = urlsplit(behind)

    @property
    def is_search(self) -> bool:
        return self.path == "/v1/search"

    @property
    def request(self) -> SearchRequest:
        return decode(self.body, SearchRequest)

    def forward(self) -> tuple[int, bytes]:
        """Return the honest node's reply: status and body."""
        there = http.client.HTTPConnection(self._behind.hostname or "", self._behind.port, timeout=FORWARD_SECONDS)
        try:
            headers = {
                name: self._handler.headers[name]
                for name in ("Content-Type", "Accept")
                if name in self._handler.headers
            }
            there.request(self.method, self.path, self.body or None, headers)
            response = there.getresponse()
            return response.status, response.read()
        finally:
            there.close()

    def reply(self) -> SearchReply:
        """Return the honest reply to a search."""
        return decode(self.forward()[1], SearchReply)

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_head(status, Content_Length=str(len(body)), **headers)
        self.write(body)

    def send_head(self, status: int = 200, **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in {"Content_Type": MEDIA_TYPE, **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()

    def write(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def hang_up(self) -> None:
        """Close the connection before the reply is complete."""
        self._handler.close_connection = True


Behaviour = Callable[[Exchange], None]


def honest(exchange: Exchange) -> None:
    status, body = exchange.forward()
    exchange.send(body, status)


@dataclass
class Impostor:
    """Server of a hostile node. ``behave`` may be changed at any time; ``seen`` are the requested paths."""

    url: str = ""
    behave: Behaviour = honest
    seen: list[str] = field(default_factory=list)


@contextmanager
def impostor(behind: str, behave: Behaviour = honest) -> Iterator[Impostor]:
    """Run a web server before the one at ``behind`` that handles each request with ``behave``."""
    proxy, over = Impostor(behave=behave), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            proxy.seen.append(self.path)
            try:
                proxy.behave(Exchange(self, behind, over))
            except OSError:
                self.close_connection = True  # the client closed the connection

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        over.set()
        server.shutdown()
        server.socket.close()
        thread.join()


def on_search(behave: Behaviour) -> Behaviour:
    """Return a behaviour that changes replies to searches only."""
    return lambda exchange: behave(exchange) if exchange.is_search else honest(exchange)


# --- lies in well-formed replies -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Liar:
    """Key and network of a node, to sign false replies."""

    key: Signer
    deployment: Deployment

    def sign(self, receipt: Receipt) -> SignedReceipt:
        return sign_receipt(self.key, receipt, self.deployment.chain_id, self.deployment.reliability)

    def resigned(self, reply: SearchReply, **changes: object) -> SearchReply:
        """Return the reply with a correctly signed receipt of these fields."""
        return replace(reply, receipt=self.sign(replace(reply.receipt.receipt, **changes)))

    def saying(
        self, request: SearchRequest, reply: SearchReply, hits: Sequence[Hit], documents: Sequence[bytes] = ()
    ) -> SearchReply:
        """Return the reply with other hits and a receipt that covers them."""
        blocks = list(documents or reply.documents)
        leaves = [
            chunk_leaf(Cid.of(blocks[hit.document], DAG_CBOR), hit.start, hit.end, hit.text, hit.vector) for hit in hits
        ]
        changed = replace(reply, hits=list(hits), documents=blocks)
        return self.resigned(changed, results=results_root(leaves, request.salt), nonce=token_bytes(32))


Lie = Callable[[Liar, SearchRequest, SearchReply], SearchReply]


def telling(liar: Liar, lie: Lie) -> Behaviour:
    """Return a behaviour that answers searches with a changed reply."""
    return on_search(lambda exchange: exchange.send(encode(lie(liar, exchange.request, exchange.reply()))))


def commitment(request: SearchRequest) -> bytes:
    return sha256(encode(request)).digest()


def first_hit(reply: SearchReply, **changes: object) -> list[Hit]:
    """Return the reply's hits with the first one changed."""
    return [replace(reply.hits[0], **changes), *reply.hits[1:]]


def hang(exchange: Exchange) -> None:
    """Send no reply until the test is over."""
    exchange.over.wait(FORWARD_SECONDS)
    exchange.hang_up()


def drip(exchange: Exchange) -> None:
    """Announce a long reply and send a byte of it from time to time."""
    exchange.send_head(Content_Length="100000")
    until = time.monotonic() + FORWARD_SECONDS
    while not exchange.over.wait(0.05) and time.monotonic() < until:
        exchange.write(b"\xa4")
    exchange.hang_up()
