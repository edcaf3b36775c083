"""Everything of the product that reads foreign bytes or foreign text, each with valid inputs.

Each function takes one hostile input. It may raise errors of knet's tree (`knet.errors.KnetError`) and no others.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
from eth_abi.abi import encode as abi_encode
from msgspec.structs import replace

from knet.answer.live import LiveAnswer
from knet.answer.notebook import verify_notebook
from knet.answer.prov import prov_jsonld
from knet.answer.render import answer_html, answer_text
from knet.answer.ro_crate import ro_crate
from knet.answer.verify_answer import verify_answer
from knet.chain import events
from knet.chain.batches import decode_batch
from knet.chain.rpc import Rpc
from knet.codec import Cid, decode, encode, from_json, read_json
from knet.content.base import BlockSource, get_record
from knet.content.car import import_car
from knet.content.dag import links
from knet.content.store import MemoryStore
from knet.dsi.datasets import parse_passage_id, read_questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.pairs import recover_contributor
from knet.dsi.publish import fetch_model
from knet.errors import KnetError
from knet.index.collection import Collection
from knet.index.shard import read_shard
from knet.mcp.replies import ask_reply, search_reply
from knet.rating.attribution import shares
from knet.rating.batch import RatingIndex, fetch_leaves
from knet.rating.replication import BatchOffer, read_offer, require_batch
from knet.records import (
    Answer,
    DsiModel,
    NodeEntry,
    Passage,
    SearchReply,
    SearchRequest,
)
from knet.routing.large.summary import summarize_card
from knet.routing.node_view import NodeView, load_view
from knet.search.merge import merge
from knet.search.verify_reply import ReplayGuard, verify_reply
from knet.trust.probes import evaluate_probe, load_probes
from knet_indexer.chunking import canonical, chunk
from knet_indexer.server import head as node_head
from knet_indexer.server import negotiation
from knet_indexer.sources.ignore import IgnoreRules
from knet_indexer.sources.sitemap_files import read_page_list
from tests.search.support import CHAIN, CONTRACT, embed, question_for

from . import samples


class Exchanged:
    """Source of the node's blocks in which one block has other bytes, as if its author had linked to them."""

    def __init__(self, source: BlockSource, cid: Cid, data: bytes) -> None:
        self._source, self._cid, self._data = source, cid, data

    def get(self, cid: Cid) -> bytes:
        return self._data if cid == self._cid else self._source.get(cid)

    def has(self, cid: Cid) -> bool:
        return cid == self._cid or self._source.has(cid)


def text_of(data: bytes) -> str:
    """Return any text, with lone surrogates where the bytes encode them."""
    return data.decode(errors="surrogatepass") if _is_text(data) else data.decode(errors="replace")


def _is_text(data: bytes) -> bool:
    try:
        data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="knet-fuzz-"))


def in_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """Return a target that reads a file with the input."""

    def run(data: bytes) -> object:
        path = folder() / name
        path.write_bytes(data)
        return read(path)

    return run


# --- what nodes publish and answer --------------------------------------------------------------------------------


def with_block(kind: str) -> Callable[[bytes], object]:
    """Return a target that takes the node for one whose block of this kind is the input: view, search, proofs."""

    def run(data: bytes) -> None:
        owner = samples.owner()
        source = Exchanged(owner.store, samples.blocks()[kind][0], data)
        view = load_view(owner.view.entry, source)
        if isinstance(view, NodeView):
            summarize_card(view)
            _ = view.centroids, view.df, view.spreads
        if kind in ("shard", "spans", "vectors", "document", "text"):
            read_shard(source, owner.view.manifest.shards[0])
        if kind not in ("spans", "vectors", "text"):
            links(samples.blocks()[kind][0], data)
        collection = Collection.load(source, owner.head)
        found = collection.search("apples", embed("apples"), 3)
        collection.prove(found)

    return run


def node_reply(data: bytes) -> None:
    session, view = samples.session(), samples.owner().view
    request = next(iter(session.requests.values()))
    reply = decode(data, SearchReply)
    hits, _ = verify_reply(reply, view, question_for(request), embed(samples.QUESTION), ReplayGuard())
    merge(session.query, hits, session.selection)


def signed_reply(data: bytes) -> None:
    """Sign what the input says, so that checks behind the signature are reached."""
    owner, session = samples.owner(), samples.session()
    request = next(iter(session.requests.values()))
    reply = decode(data, SearchReply)
    with mock.patch("knet.search.verify_reply.recover", return_value=owner.key.address):
        hits, _ = verify_reply(reply, owner.view, question_for(request), embed(samples.QUESTION), ReplayGuard())
    merge(session.query, hits, session.selection)


def dsi_record(data: bytes) -> None:
    store, cid = samples.model()
    search_models(Exchanged(store, cid, data), cid)


def dsi_weights(data: bytes) -> None:
    store, cid = samples.model()
    search_models(Exchanged(store, get_record(store, cid, DsiModel).weights[0], data), cid)


def search_models(source: BlockSource, cid: Cid) -> None:
    retriever = DsiRetriever([fetch_model(source, cid)])
    vector = np.zeros(retriever.models[0].dimension, np.float32)
    for found in retriever.search("why is the volcano feared", vector):
        parse_passage_id(found.docid)


def weights() -> list[bytes]:
    store, cid = samples.model()
    return [store.get(get_record(store, cid, DsiModel).weights[0])]


def car(data: bytes) -> None:
    import_car(io.BytesIO(data), MemoryStore())


# --- answers and notebooks ----------------------------------------------------------------------------------------


def whole_answer(answer: Answer) -> None:
    """Verify, show, export and credit an answer of any content."""
    source = samples.owner().store
    report = verify_answer(answer, samples.chain(), lambda node: source)
    report._repr_html_()
    answer_text(answer)
    answer_html(answer)
    encode(answer)
    prov_jsonld(answer)
    ro_crate(answer)
    shares(answer)
    live = LiveAnswer(answer, cast(Any, None))
    ask_reply(live, "a")
    search_reply(live, "a")


def answer_file(data: bytes) -> None:
    whole_answer(from_json(data, Answer))


def notebook(data: bytes) -> None:
    content = read_json(data)
    if isinstance(content, dict):
        source = samples.owner().store
        verify_notebook(content, lambda answer: verify_answer(answer, samples.chain(), lambda node: source))


def passage(text: str) -> Passage:
    return replace(samples.answer().passages[0], text=text[:8192], end=samples.answer().passages[0].start + len(text))


# --- the chain ----------------------------------------------------------------------------------------------------


@contextmanager
def rpc_that_replies(data: bytes) -> Iterator[Rpc]:
    """Yield the client of an endpoint whose every HTTP reply is the input."""
    rpc = Rpc("http://127.0.0.1:9")
    with (
        mock.patch("web3._utils.http_session_manager.HTTPSessionManager.make_post_request", return_value=data),
        mock.patch("knet.chain.rpc.READ_PAUSES", ()),
    ):
        yield rpc


def rpc_reply(data: bytes) -> None:
    with rpc_that_replies(data) as rpc:
        for read in (
            rpc.block_number,
            rpc.confirmed_block,
            lambda: rpc.block_hash(1),
            lambda: list(events.fetch_logs(rpc, ["0x" + "1" * 40], [], 1, 1)),
        ):
            with suppress(KnetError), rpc.errors("Reading"):
                read()


def rpc_call(data: bytes) -> None:
    with rpc_that_replies(data) as rpc:
        contract = rpc.contract("IdentityRegistry", CONTRACT)
        rpc.call(contract.functions.ownerOf(1), "Reading an owner")


def chain_logs(data: bytes) -> None:
    """Apply logs as they come from an RPC: what translates its errors is around them."""
    logs = read_json(data)
    rpc = Rpc("http://127.0.0.1:9")
    with rpc.errors("Reading logs"):
        nodes: dict[int, NodeEntry] = {}
        events.apply_logs(nodes, logs, lambda log: 0, lambda node: samples.owner().view.entry)
    with rpc.errors("Reading batches"):
        for log in logs:
            decode_batch(log, 1)


def logs() -> list[bytes]:
    word = "0x" + "0" * 63 + "7"
    account = "0x" + "0" * 24 + "ab" * 20
    base = {"blockNumber": "0x1", "transactionHash": "0x" + "1" * 64, "blockTimestamp": "0x5"}
    value = abi_encode(["bytes", "bytes"], [b"knet.endpoint", b"https://example.org/a"])
    head = (1).to_bytes(32, "big") + b"h" * 32
    batch = abi_encode(["bytes32", "bytes32", "uint256[]"], [b"r" * 32, b"c" * 32, [5]])
    transfer = {"topics": [events.TRANSFER, "0x" + "0" * 64, account, word], "data": "0x"}
    metadata = {"topics": [events.METADATA_SET, word, events._ENDPOINT], "data": "0x" + value.hex()}
    published = {"topics": [events.MANIFEST_PUBLISHED, word], "data": "0x" + head.hex()}
    submitted = {"topics": ["0x1", account, word], "data": "0x" + batch.hex()}
    return [json.dumps([base | transfer, base | metadata, base | published, base | submitted]).encode()]


def rpc_replies() -> list[bytes]:
    block = {"number": "0x5", "hash": "0x" + "2" * 64, "timestamp": "0x5", "transactions": []}
    results: list[Any] = [
        "0x5",
        block,
        [],
        "0x" + "0" * 24 + "ab" * 20,
        None,
        {"code": 3, "message": "execution reverted"},
    ]
    replies = [{"jsonrpc": "2.0", "id": 1, "result": result} for result in results]
    replies.append({"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "no", "data": "0x08c379a0" + "0" * 63}})
    return [json.dumps(reply).encode() for reply in replies]


# --- ratings ------------------------------------------------------------------------------------------------------


def batch_block(data: bytes, index: bool) -> None:
    store, batch = samples.ratings()
    cid = batch.content if index else get_record(store, batch.content, RatingIndex).blocks[0]
    fetch_leaves(batch, Exchanged(store, cid, data))


def batch_blocks(index: bool) -> list[bytes]:
    store, batch = samples.ratings()
    return [store.get(batch.content if index else get_record(store, batch.content, RatingIndex).blocks[0])]


def offered(data: bytes) -> None:
    blocks = read_offer(decode(data, BatchOffer))
    require_batch(list(blocks)[-1], blocks, [samples.ratings()[1]])


# --- requests to a node, files of an owner ------------------------------------------------------------------------


def search_request(data: bytes, encoding: str) -> None:
    request = negotiation.parse(data, SearchRequest, encoding)
    node_head.check_request(request)


def requests() -> list[bytes]:
    return [encode(next(iter(samples.session().requests.values())))]


def pair_lines(path: Path) -> None:
    for pair in read_questions(path).signed:
        recover_contributor(pair, CHAIN, CONTRACT)


def probe_lines(path: Path) -> None:
    for probe in load_probes(path):
        evaluate_probe(probe, [(1, "an apple"), (2, "a pear")])


def sitemap(data: bytes) -> None:
    list(read_page_list(data, "https://example.org/").entries)


def cut(data: bytes) -> None:
    text = canonical(text_of(data))
    text.encode()  # stored as UTF-8
    for start, end in chunk(text, count_tokens=lambda all: [len(each) // 3 for each in all], max_tokens=64):
        assert 0 <= start < end <= len(text)


def ignored(data: bytes) -> None:
    root = folder() / "ignored"
    root.mkdir(exist_ok=True)
    (root / ".gitignore").write_bytes(data)
    IgnoreRules(root).reason(root / "a" / "b.txt")
