"""A small published collection, and a web server for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import uvicorn
from fastapi import FastAPI

from knet.codec import Cid
from knet.content.base import BlockSource, BlockStore, put_record
from knet.records import VECTOR_DTYPE, Card, Document, Lexical, Manifest, Shard, ShardRef, Space
from knet_indexer.server.gateway import gateway_router
from knet_indexer.server.problems import add_problem_handlers

DIMENSION = 8
START_SECONDS = 60.0


@contextmanager
def gateway(source: BlockSource, app: FastAPI | None = None) -> Iterator[str]:
    """Serve a real gateway over ``source``, or another web application; yield its URL."""
    if app is None:
        app = FastAPI()
        add_problem_handlers(app)
        app.include_router(gateway_router(source))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.started and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert server.started
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def publish(store: BlockStore, *, shards: int = 2, sequence: int = 1, previous: Cid | None = None) -> Cid:
    """Store a manifest of ``shards`` shards, each of three chunks of one document; return its CID."""
    space = put_record(store, Space(model="words", weights=bytes(32), dimension=DIMENSION))
    card = Card(
        title="Birds",
        space=space,
        documents=shards,
        chunks=3 * shards,
        centroids=bytes(2 * DIMENSION),
        weights=np.array([3 * shards], "<u4").tobytes(),
        terms=b"",
        df=b"",
        average_length=2.5,
    )
    manifest = Manifest(
        node=1,
        sequence=sequence,
        previous=previous,
        space=space,
        shards=[_shard(store, space, 10 * sequence + number) for number in range(shards)],
        card=put_record(store, card),
        documents=shards,
        chunks=3 * shards,
        time=1_700_000_000 + sequence,
    )
    return put_record(store, manifest)


def _shard(store: BlockStore, space: Cid, number: int) -> ShardRef:
    text = f"Bird {number} sings. Bird {number} eats. Bird {number} flies."
    document = Document(uri=f"birds/{number}.txt", text=store.put(text.encode()), title=f"Bird {number}")
    vectors = np.random.default_rng(number).standard_normal((3, DIMENSION)).astype(VECTOR_DTYPE)
    words = Lexical(
        terms=["bird", "eats"], df=np.array([3, 1], "<u4").tobytes(), lengths=np.full(3, 3, "<u4").tobytes()
    )
    shard = Shard(
        space=space,
        count=3,
        dimension=DIMENSION,
        documents=[put_record(store, document)],
        chunks=store.put(np.arange(9, dtype="<u4").tobytes() + bytes([number])),
        vectors=store.put(vectors.tobytes()),
        lexical=put_record(store, words),
    )
    root = b"\x01\x09\x1c\x0f" + bytes([number]) * 28  # begins like a CID, as one digest in 2,500 does
    return ShardRef(shard=put_record(store, shard), root=root, count=3)
