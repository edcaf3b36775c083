"""Records of nodes with chosen vectors, for tests of search without a chain or processes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from knet.chain.keys import Signer, new_key
from knet.chain.receipts import sign_receipt
from knet.codec import Cid, encode
from knet.content.base import put_record
from knet.content.store import MemoryStore
from knet.index.card import Batch, make_card
from knet.index.collection import Collection, results_root
from knet.index.shard import Chunk, Vectors, encode_vector, write_shards
from knet.records import Document, Head, Manifest, NodeEntry, Receipt, SearchReply, SearchRequest, Space
from knet.routing.node_view import NodeView
from knet.search.verify_reply import Question, query_digest

SPACE = Space(model="letters", weights=b"l" * 32, dimension=32)
CHAIN = 31337
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def embed(text: str) -> Vectors:
    """Return a unit vector of hashed words; texts with common words are close."""
    vector = np.full(SPACE.dimension, 0.01, np.float32)
    for word in text.lower().replace(".", " ").replace("?", " ").split():
        vector[sum(word.encode()) % SPACE.dimension] += 1
    return vector / np.float32(np.linalg.norm(vector))


class Owner:
    """Honest node that holds the given texts; tests change its replies."""

    def __init__(self, node: int, texts: Sequence[str], space: Space = SPACE, block: int = 1) -> None:
        self.key: Signer = new_key()
        self.store = MemoryStore()
        self.node = node
        chunks = []
        for number, text in enumerate(texts):
            document = Document(
                uri=f"doc:{node}/{number}", text=self.store.put(text.encode()), title=f"{node}/{number}"
            )
            chunks.append(
                Chunk(document=document, start=0, end=len(text), text=text, vector=encode_vector(embed(text)))
            )
        batch = Batch(np.array([embed(text) for text in texts]), texts)
        card = make_card(space, [batch], title=f"node {node}", documents=len(texts))
        manifest = Manifest(
            node=node,
            sequence=1,
            previous=None,
            space=put_record(self.store, space),
            shards=write_shards(self.store, space, chunks),
            card=put_record(self.store, card),
            documents=len(texts),
            chunks=len(texts),
            time=int(time.time()),
        )
        self.head = put_record(self.store, manifest)
        self.collection = Collection.load(self.store, self.head)
        entry = NodeEntry(
            node=node,
            owner=self.key.address,
            wallet=self.key.address,
            endpoint="http://127.0.0.1:1",
            head=Head(manifest=self.head, sequence=1, block=block, time=int(time.time()), transaction="0x"),
        )
        self.view = NodeView(entry, manifest, card, space)

    def reply(self, request: SearchRequest, *, key: Signer | None = None, **changes: object) -> SearchReply:
        """Return the reply of the node's service; ``changes`` override receipt fields."""
        found = self.collection.search(request.question, embed(request.question), request.k)
        documents, hits, leaves = self.collection.prove(found)
        fields: dict[str, object] = {
            "node": self.node,
            "manifest": self.head.digest,
            "query": query_digest(encode(request)),
            "results": results_root(leaves, request.salt),
            "client": request.client,
            "issued_at": int(time.time()),
            "nonce": np.random.default_rng().bytes(32),
        }
        receipt = Receipt(**{**fields, **changes})  # type: ignore[arg-type]
        signed = sign_receipt(key or self.key, receipt, CHAIN, CONTRACT)
        return SearchReply(manifest=self.head, documents=documents, hits=hits, receipt=signed)


def request_for(question: str, k: int = 4, space: Cid | None = None) -> SearchRequest:
    return SearchRequest(
        question=question,
        client=b"c" * 20,
        salt=b"s" * 16,
        k=k,
        space=space,
        vector=embed(question).astype("<f4").tobytes(),
    )


def question_for(request: SearchRequest) -> Question:
    return Question(
        digest=query_digest(encode(request)),
        salt=request.salt,
        client=request.client,
        k=request.k,
        chain_id=CHAIN,
        contract=CONTRACT,
    )
