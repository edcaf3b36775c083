"""The private way: fetch published shards by CID and search them here, so that no node learns the question."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Lock, Thread

from ..codec import DAG_CBOR, Cid, decode
from ..content.base import BlockSource
from ..index.collection import Collection
from ..index.shard import Vectors
from ..records import Document
from .verify import Checked, cosine_of, words_of
from .view import NodeView

KEPT_COLLECTIONS = 64  # loaded collections held in memory; blocks stay in the store either way


class Shelf:
    """Collections fetched by CID, the most recently used kept loaded. Safe to use from several threads."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Cid, Future[Collection]] = OrderedDict()
        self._lock = Lock()

    def load(self, cid: Cid, source: BlockSource) -> Future[Collection]:
        """A node's collection, checked whole: loaded, being loaded, or begun now; what failed is begun anew.

        The future raises what `Collection.load` raises.
        """
        with self._lock:
            known = self._loaded.get(cid)
            if known is None or (known.done() and known.exception()):
                self._loaded[cid] = _in_thread(partial(Collection.load, source, cid))
            self._loaded.move_to_end(cid)
            while len(self._loaded) > KEPT_COLLECTIONS:
                self._loaded.popitem(last=False)
            return self._loaded[cid]


def _in_thread(work: Callable[[], Collection]) -> Future[Collection]:
    """A daemon, unlike an executor's threads: a node that drips for hours must not keep the process from ending."""
    future: Future[Collection] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="knet-fetch", daemon=True).start()
    return future


def search_fetched(collection: Collection, view: NodeView, question: str, vector: Vectors, k: int) -> list[Checked]:
    """What the node would have answered, found without asking it. Its chunks were checked when they were fetched."""
    documents, hits, _ = collection.prove(collection.search(question, vector, k))
    return [
        Checked(
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
