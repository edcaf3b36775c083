"""Many nodes in one server process, each with an identity on chain, a manifest, a card, a collection and receipts."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
from aiohttp import web

from benchmarks.fleet import free_ports
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.chain.receipts import sign_receipt
from knet.codec import Cid, decode, encode
from knet.config import Profile
from knet.content.base import put_record
from knet.content.store import MemoryStore
from knet.embed.base import Vectors
from knet.errors import BlockNotFound
from knet.index.card import Batch, make_card
from knet.index.collection import Collection, results_root
from knet.index.shard import Chunk, encode_vector, write_shards
from knet.records import Document, Manifest, Receipt, SearchReply, SearchRequest, Space

DAG_CBOR = "application/vnd.ipld.dag-cbor"


class FoldedNode:
    """Honest node."""

    def __init__(self, node: int, profile: Profile, key: Signer, space: Space, store: MemoryStore) -> None:
        self.node, self._profile, self._key, self._space, self._store = node, profile, key, space, store

    def index(self, texts: Sequence[str], vectors: Vectors) -> Cid:
        """Add passages; return the manifest to publish."""
        store, chunks = self._store, []
        for number, text in enumerate(texts):
            document = Document(uri=f"passage:{self.node}/{number}", text=store.put(text.encode()))
            vector = encode_vector(vectors[number])
            chunks.append(Chunk(document=document, start=0, end=len(text), text=text, vector=vector))
        card = make_card(self._space, [Batch(vectors, texts)], title=f"node {self.node}", documents=len(texts))
        manifest = Manifest(
            node=self.node,
            sequence=1,
            previous=None,
            space=put_record(store, self._space),
            shards=write_shards(store, self._space, chunks),
            card=put_record(store, card),
            documents=len(texts),
            chunks=len(texts),
            time=int(time.time()),
        )
        head = put_record(store, manifest)
        self._collection = Collection.load(store, head)
        return head

    def search(self, request: SearchRequest) -> SearchReply:
        """Return the reply of a node's service."""
        found = self._collection.search(request.question, np.frombuffer(request.vector, "<f4"), request.k)
        documents, hits, leaves = self._collection.prove(found)
        receipt = Receipt(
            node=self.node,
            manifest=self._collection.cid.digest,
            query=sha256(encode(request)).digest(),
            results=results_root(leaves, request.salt),
            client=request.client,
            issued_at=int(time.time()),
            nonce=secrets.token_bytes(32),
        )
        deployment = self._profile.deployment
        signed = sign_receipt(self._key, receipt, deployment.chain_id, deployment.reliability)
        return SearchReply(manifest=self._collection.cid, documents=documents, hits=hits, receipt=signed)


@contextmanager
def folded(
    profile: Profile, space: Space, collections: Sequence[tuple[Sequence[str], Vectors]]
) -> Iterator[list[FoldedNode]]:
    """Run one published node for each collection, all on one port, until the block ends."""
    (port,) = free_ports(1)
    chain, key, store = EvmChain(profile.rpc, profile.deployment), new_key(), MemoryStore()
    fund(profile.rpc, key.address)
    nodes: dict[str, FoldedNode] = {}
    for number, (texts, vectors) in enumerate(collections):
        identity = chain.identity.register(key, f"http://127.0.0.1:{port}/n/{number}")
        nodes[str(number)] = node = FoldedNode(identity, profile, key, space, store)
        chain.manifests.publish(key, identity, 1, node.index(texts, vectors))
        if number % 100 == 99:
            print(f"{number + 1} of {len(collections)} nodes published", flush=True)
    with _serving(port, nodes, store):
        yield list(nodes.values())


@contextmanager
def _serving(port: int, nodes: dict[str, FoldedNode], store: MemoryStore) -> Iterator[None]:
    async def search(request: web.Request) -> web.Response:
        asked = decode(await request.read(), SearchRequest)
        return web.Response(body=encode(nodes[request.match_info["node"]].search(asked)), content_type=DAG_CBOR)

    async def block(request: web.Request) -> web.Response:
        try:
            data = store.get(Cid.parse(request.match_info["cid"]))
        except BlockNotFound:
            return web.Response(status=404)
        return web.Response(body=data, content_type="application/vnd.ipld.raw")

    async def start() -> web.AppRunner:
        app = web.Application()
        app.add_routes([web.post("/n/{node}/v1/search", search), web.get("/n/{node}/ipfs/{cid}", block)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="folded")
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
