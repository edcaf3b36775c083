"""The private way: fetch published shards by CID and search them here, so that no node learns the question."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from ..codec import DAG_CBOR, Cid, decode
from ..content.base import BlockSource
from ..index.collection import Collection
from ..index.shard import Vectors
from ..records import Document
from .verify import Checked, cosine_of
from .view import NodeView

KEPT_COLLECTIONS = 64  # loaded collections held in memory; blocks stay in the store either way


class Shelf:
    """Collections fetched by CID, the most recently used kept loaded."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[Cid, Collection] = OrderedDict()

    def load(self, cid: Cid, source: BlockSource, progress: Callable[[int], None] | None = None) -> Collection:
        """A node's collection, checked whole. Raises what `Collection.load` raises."""
        if cid not in self._loaded:
            self._loaded[cid] = Collection.load(source, cid, progress=progress)
            while len(self._loaded) > KEPT_COLLECTIONS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(cid)
        return self._loaded[cid]


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
        )
        for hit in hits
    ]
