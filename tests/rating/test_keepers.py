"""Keepers of a batch whose registrations name the server of a third party."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knet.chain.batches import Batch, Delta
from knet.content.store import MemoryStore
from knet.errors import KnetError
from knet.http import HttpClient
from knet.rating.batch import build_batch, fetch_leaves, publish_batch
from knet.rating.replication import LeafSources
from knet.records import NodeEntry
from knet.routing.origins import OriginBudget

from .test_batch import rating

BATCHES = 10


@pytest.mark.parametrize("rated", [True, False])
def test_batches_cost_a_server_without_blocks_few_requests(rated: bool) -> None:
    """Threat model: node, many registrations that name a third party's address."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.command)
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    batches, store = [], MemoryStore()
    for number in range(BATCHES):
        folded = build_batch([rating(number)])
        publish_batch(folded, store)
        deltas = [Delta(node, 0, 100, 1) for node in range(1, 17)] if rated else folded.deltas
        batches.append(Batch("0x" + "ff" * 20, number, 0, folded.root, folded.content, deltas))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, HttpClient("loopback") as http:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        entries = {node: NodeEntry(node, "owner", "", f"{url}/{node}", None) for node in range(1, 601)}
        budget = OriginBudget(None)
        for batch in batches:
            assert LeafSources(http, store, lambda: entries, budget=budget).replicate(batch) == 0
        assert seen == ["POST"], "the server rests after its first failure"
        for batch in batches:
            with pytest.raises(KnetError):
                fetch_leaves(batch, LeafSources(http, MemoryStore(), lambda: entries, budget=budget).of(batch))
        assert seen == ["POST"]
        with pytest.raises(KnetError):
            fetch_leaves(batches[0], LeafSources(http, MemoryStore(), lambda: entries).of(batches[0]))
        assert seen == ["POST", "GET"], "a new client asks once"
        server.shutdown()
