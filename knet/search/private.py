"""Private search: fetch published shards by CID and search them here, so that no node learns the question."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from typing import Generic, TypeVar

from ..codec import DAG_CBOR, Cid, decode
from ..content.base import BlockSource
from ..dsi.datasets import parse_passage_id
from ..dsi.ensemble import DsiRetriever
from ..dsi.model import Model
from ..errors import CodecError
from ..index.collection import Collection, ScoredChunk
from ..index.shard import Vectors
from ..records import Document
from ..routing.node_view import NodeView
from ..routing.query import Query
from .verify_reply import VerifiedHit, cosine_of, words_of

KEPT = 64  # of a kind loaded and held in memory; blocks stay in the store either way

T = TypeVar("T")


class FutureCache(Generic[T]):
    """Futures of what is fetched by CID; the most recently used stay loaded. Safe to use from several threads."""

    def __init__(self, fetch: Callable[[BlockSource, Cid], T]) -> None:
        self._fetch = fetch
        self._loaded: OrderedDict[Cid, Future[T]] = OrderedDict()
        self._lock = Lock()

    def load(self, cid: Cid, source: BlockSource) -> Future[T]:
        """Return the future of what the CID names, fetched and checked; a fetch that failed is begun again.

        The future raises what fetching raises.
        """
        with self._lock:
            known = self._loaded.get(cid)
            if known is None or (known.done() and known.exception()):
                self._loaded[cid] = in_thread(partial(self._fetch, source, cid))
            self._loaded.move_to_end(cid)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[cid]


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Run in a daemon thread, unlike an executor's: a node that drips for hours must not keep the process from
    ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="knet-fetch", daemon=True).start()
    return future


def search_fetched(
    collection: Collection, view: NodeView, query: Query, models: Sequence[Model] = ()
) -> list[VerifiedHit]:
    """Return the hits that the node would have answered with, and those that its De-DSI ``models`` name besides.

    The collection's chunks were checked when they were fetched.
    """
    question, vector, k = query.question, query.vectors[view.card.space], query.options.k
    found = collection.search(question, vector, k)
    found += _named(collection, question, vector, k, models, {(each.shard, each.chunk) for each in found})
    documents, hits, _ = collection.prove(found)
    return [
        VerifiedHit(
            node=view.entry.node,
            space=view.card.space,
            manifest=collection.cid,
            document=decode(documents[hit.document], Document),
            document_cid=Cid.of(documents[hit.document], DAG_CBOR),
            hit=hit,
            cosine=cosine_of(hit.vector, vector),
            words=words_of(hit.text),
            block=view.entry.head.block if view.entry.head else None,
        )
        for hit in hits
    ]


def _named(
    collection: Collection,
    question: str,
    vector: Vectors,
    k: int,
    models: Sequence[Model],
    known: set[tuple[int, int]],
) -> Iterator[ScoredChunk]:
    """Yield live chunks that only models name; names of missing chunks are ignored."""
    if not models:
        return
    for candidate in DsiRetriever(models).search(question, vector, k=k):
        with suppress(CodecError):
            place = collection.find(*parse_passage_id(candidate.docid))
            if place is not None and place not in known:
                yield ScoredChunk(shard=place[0], chunk=place[1], scores={})
