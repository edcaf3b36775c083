"""The private way: fetch published shards by CID and search them here, so that no node learns the question."""

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
from .verify_reply import VerifiedHit, cosine_of, words_of

KEPT = 64  # of a kind loaded and held in memory; blocks stay in the store either way

T = TypeVar("T")


class FutureCache(Generic[T]):
    """What is fetched by CID, the most recently used kept loaded. Safe to use from several threads."""

    def __init__(self, fetch: Callable[[BlockSource, Cid], T]) -> None:
        self._fetch = fetch
        self._loaded: OrderedDict[Cid, Future[T]] = OrderedDict()
        self._lock = Lock()

    def load(self, cid: Cid, source: BlockSource) -> Future[T]:
        """Checked whole: loaded, being loaded, or begun now; what failed is begun anew.

        The future raises what fetching it raises.
        """
        with self._lock:
            known = self._loaded.get(cid)
            if known is None or (known.done() and known.exception()):
                self._loaded[cid] = _in_thread(partial(self._fetch, source, cid))
            self._loaded.move_to_end(cid)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[cid]


def _in_thread(work: Callable[[], T]) -> Future[T]:
    """A daemon, unlike an executor's threads: a node that drips for hours must not keep the process from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="knet-fetch", daemon=True).start()
    return future


def search_fetched(
    collection: Collection, view: NodeView, question: str, vector: Vectors, k: int, models: Sequence[Model] = ()
) -> list[VerifiedHit]:
    """What the node would have answered, found without asking it, and what its De-DSI ``models`` name beyond that.

    Its chunks were checked when they were fetched.
    """
    found = collection.search(question, vector, k)
    found += _named(collection, question, vector, k, models, {(each.shard, each.chunk) for each in found})
    documents, hits, _ = collection.prove(found)
    return [
        VerifiedHit(
            node=view.entry.node,
            manifest=collection.cid,
            document=decode(documents[hit.document], Document),
            document_cid=Cid.of(documents[hit.document], DAG_CBOR),
            hit=hit,
            cosine=cosine_of(hit.vector, vector),
            words=words_of(hit.text),
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
    """Live chunks that models name and nothing else found; a name of what is not there says nothing."""
    if not models:
        return
    for candidate in DsiRetriever(models).search(question, vector, k=k):
        with suppress(CodecError):
            place = collection.find(*parse_passage_id(candidate.docid))
            if place is not None and place not in known:
                yield ScoredChunk(shard=place[0], chunk=place[1], scores={})
