"""Valid inputs, from which fuzzing starts: the blocks of a node, its reply, an answer, a batch of ratings, a model."""

from __future__ import annotations

import io
import time
import zipfile
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import nbformat

from knet.answer.compose import compose
from knet.answer.live import LiveAnswer
from knet.chain.batches import Batch, Leaf
from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.chain.receipts import sign_receipt
from knet.codec import Cid, encode, to_json
from knet.config import Deployment
from knet.content.base import get_record
from knet.content.car import write_car
from knet.content.store import MemoryStore
from knet.dsi.pairs import Pair, sign_pair
from knet.dsi.publish import publish_model
from knet.index.lexical import Statistics
from knet.rating.batch import build_batch, publish_batch
from knet.rating.replication import make_offer
from knet.records import Answer, Head, Manifest, Rating, Receipt, SearchReply, Shard
from knet.routing.query import Query, Route, Selection
from knet.search.merge import merge
from knet.search.session import QuerySession
from knet.search.verify_reply import ReplayGuard, verify_reply
from tests.dsi.support import starts
from tests.network.support import WORD_SPACE
from tests.search.support import CHAIN, CONTRACT, Owner, embed, question_for

QUESTION = "When do apples grow on trees?"
TEXTS = ["Apples grow on trees in autumn. They fall.", "Pears are picked before they are ripe.", "Plums make jam."]
DEPLOYMENT = Deployment(chain_id=CHAIN, identity="0x", manifests="0x", reliability=CONTRACT)


@cache
def owner() -> Owner:
    return Owner(7, TEXTS)


@cache
def session() -> QuerySession:
    """Session of one question to one node, with its verified reply."""
    node = owner()
    space = node.view.card.space
    query = Query(QUESTION, {space: embed(QUESTION)}, client=b"c" * 20)
    routes = [Route(node=7, score=1.0, why="it fits")]
    statistics = Statistics(3, 6.0, {"apples": 1, "trees": 1})
    found = QuerySession(query, Selection(routes, 1, {7: node.view}, {}, statistics))
    found.hits, found.receipts[7] = verify_reply(
        reply(found), node.view, question_for(found.requests[space]), embed(QUESTION), ReplayGuard()
    )
    found.note(7, "success", 1.0, hits=len(found.hits))
    return found


def reply(asked: QuerySession) -> SearchReply:
    return owner().reply(next(iter(asked.requests.values())))


@cache
def answer() -> Answer:
    return compose(session(), merge(session().query, session().hits, session().selection), DEPLOYMENT, 0.0)


@cache
def notebook() -> bytes:
    data = LiveAnswer(answer(), cast(Any, None))._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell(f"net.ask({QUESTION!r})")  # type: ignore[no-untyped-call]
    cell.outputs = [nbformat.v4.new_output("display_data", data)]  # type: ignore[no-untyped-call]
    text = nbformat.v4.new_markdown_cell("# Apples\n\nThey `grow`.")  # type: ignore[no-untyped-call]
    return nbformat.writes(nbformat.v4.new_notebook(cells=[text, cell])).encode()  # type: ignore[no-any-return, no-untyped-call]


def blocks() -> dict[str, tuple[Cid, bytes]]:
    """Return one block of each kind under the node's head, by kind."""
    store, head = owner().store, owner().head
    manifest = get_record(store, head, Manifest)
    shard_cid = manifest.shards[0].shard
    shard = get_record(store, shard_cid, Shard)
    cids = {
        "manifest": head,
        "space": manifest.space,
        "card": manifest.card,
        "shard": shard_cid,
        "spans": shard.chunks,
        "vectors": shard.vectors,
        "document": shard.documents[0],
        "text": Cid.of(TEXTS[0].encode()),
    }
    return {kind: (cid, store.get(cid)) for kind, cid in cids.items()}


@cache
def model() -> tuple[MemoryStore, Cid]:
    store = MemoryStore()
    return store, publish_model(store, starts()[0].model, WORD_SPACE)


@cache
def ratings() -> tuple[MemoryStore, Batch]:
    """Blocks of a batch of ratings, and the batch on chain."""
    node, store = new_key(), MemoryStore()
    receipts = [
        Receipt(
            node=7,
            manifest=b"m" * 32,
            query=b"q" * 32,
            results=b"r" * 32,
            client=b"c" * 20,
            issued_at=int(time.time()),
            nonce=bytes([number]) * 32,
        )
        for number in range(3)
    ]
    rated = [Rating(receipt=sign_receipt(node, each, CHAIN, CONTRACT), value=50) for each in receipts]
    batch = build_batch(rated)
    publish_batch(batch, store)
    sent = Batch(
        rater=node.address,
        number=1,
        submitted_at=1,
        root=batch.root,
        content=batch.content,
        deltas=batch.deltas,
        block=1,
        transaction="0x",
    )
    return store, sent


def leaf() -> Leaf:
    return build_batch([Rating(receipt=answer().receipts[0].signed, value=5)]).leaves[0]


def offer() -> bytes:
    store, batch = ratings()
    return encode(make_offer(batch, store))


def signed_pair() -> bytes:
    return to_json(sign_pair(new_key(), Pair(question="q", docid="d"), CHAIN, CONTRACT)).encode()


def car() -> bytes:
    return b"".join(write_car([owner().head], list(blocks().values())))


class Chain:
    """The part of a chain that verification asks."""

    deployment = DEPLOYMENT

    def __init__(self) -> None:
        head = Head(manifest=owner().head, sequence=1, block=1, time=1, transaction="0x")
        self.identity = SimpleNamespace(signer_of=lambda node: owner().key.address)
        self.manifests = SimpleNamespace(heads=lambda node: [head], published_in=lambda node, block: [head.manifest])


def chain() -> EvmChain:
    return cast(EvmChain, Chain())


def docx() -> bytes:
    """Return the parts of a Word document that a converter reads."""
    buffer = io.BytesIO()
    names = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "word/document.xml": (
            '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            "<w:body><w:p><w:r><w:t>Apples</w:t></w:r></w:p></w:body></w:document>"
        ),
    }
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return buffer.getvalue()
