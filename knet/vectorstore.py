"""A collection as a LangChain vector store: one node's published passages, found by similarity alone.

`knet.langchain.KnetRetriever` asks a whole network and gets receipts; this searches one collection in this process,
whose every chunk was checked against its manifest when it was loaded. A data owner writes through
`knet_indexer.vectorstore.NodeVectorStore`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from . import records
from .client.network import Network
from .codec import Cid, decode
from .embed.base import Embedder
from .embed.load import load_embedder_for
from .errors import CodecError, NotRegistered, SpaceError
from .index.collection import Collection, ScoredChunk
from .index.shard import Vectors

FETCHED = 20  # candidates for a diverse selection, as LangChain's own stores take

_ID = re.compile(r"(\w{1,100})#(\d{1,10})-(\d{1,10})", re.ASCII)


class SpaceEmbeddings(Embeddings):
    """A knet embedder as LangChain embeddings."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in self.embedder.encode(texts)]

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self.embedder.encode([text], query=True)[0].tolist()
        return vector


class KnetVectorStore(VectorStore):
    """One collection, read only: similarity is the cosine of the committed vectors, from -1 to 1."""

    def __init__(self, collection: Collection, embedder: Embedder) -> None:
        self._collection = collection
        self._embedder = embedder

    @classmethod
    def open(cls, network: Network, node: int) -> KnetVectorStore:
        """Fetch what a node published last, from the node or from IPFS, and check all of it.

        Raises NotRegistered for a node without a publication, SpaceError for a model the profile does not allow, and
        what fetching raises.
        """
        heads = network.chain.manifests.heads(node)
        if not heads:
            raise NotRegistered(f"node {node} has published nothing.")
        collection = Collection.load(network.source_of(node), heads[-1].manifest)
        if collection.space.model not in network.profile.models:
            raise SpaceError(
                f"node {node} embeds with {collection.space.model[:80]!r}, which this profile does not allow.",
                hint=f"Add it to the models of profile {network.profile.name}.",
            )
        return cls(collection, load_embedder_for(collection.space))

    @property
    def collection(self) -> Collection:
        """The collection that is searched."""
        return self._collection

    @property
    def embedder(self) -> Embedder:
        """The embedder of questions."""
        return self._embedder

    @property
    def embeddings(self) -> Embeddings:
        return SpaceEmbeddings(self.embedder)

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k)]

    def similarity_search_with_score(self, query: str, k: int = 4, **options: Any) -> list[tuple[Document, float]]:
        """Return passages with their cosines, best first."""
        if not len(self.collection):
            return []
        return self._nearest(self.embedder.encode([query], query=True)[0], k)

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        return [document for document, _ in self._nearest(np.array(embedding, np.float32), k)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = FETCHED, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """Return passages that are near the question and far from each other (Carbonell and Goldstein 1998)."""
        vector = self.embeddings.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult)

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = FETCHED, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        vector = np.array(embedding, np.float32)
        found = self.collection.search("", vector, fetch_k)
        near = [self.collection.shards[f.shard].vectors[f.chunk].astype(np.float32) for f in found]
        chosen = maximal_marginal_relevance(vector, near, lambda_mult=lambda_mult, k=k)
        return [self._document(found[number]) for number in chosen]

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the passages of these ids; unknown ones are left out."""
        found = []
        for match in filter(None, map(_ID.fullmatch, dict.fromkeys(ids))):
            with suppress(CodecError):
                place = self.collection.find(Cid.parse(match[1]), int(match[2]), int(match[3]))
                if place is not None:
                    found.append(self._document(ScoredChunk(shard=place[0], chunk=place[1], scores={})))
        return found

    def add_texts(self, texts: Any, metadatas: Any = None, *, ids: Any = None, **options: Any) -> list[str]:
        """Raise NotImplementedError: only its owner writes a published collection."""
        raise NotImplementedError("a published collection is read only; its owner writes with NodeVectorStore")

    @classmethod
    def from_texts(cls, texts: Any, embedding: Any = None, metadatas: Any = None, **options: Any) -> KnetVectorStore:
        """Raise NotImplementedError: see `open`."""
        raise NotImplementedError("open a published collection with KnetVectorStore.open(network, node)")

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: max(0.0, min(1.0, (1 + cosine) / 2))

    def _nearest(self, vector: Vectors, k: int) -> list[tuple[Document, float]]:
        return [(self._document(found), found.scores["dense"]) for found in self.collection.search("", vector, k)]

    def _document(self, found: ScoredChunk) -> Document:
        shard = self.collection.shards[found.shard]
        _, start, end = shard.spans[found.chunk].tolist()
        cid, block = shard.document(found.chunk)
        document = decode(block, records.Document)
        return Document(
            id=f"{cid}#{start}-{end}",
            page_content=shard.text(found.chunk),
            metadata={
                "source": document.uri,
                "title": document.title,
                "licence": document.licence,
                "start": start,
                "end": end,
                "document": str(cid),
                "manifest": str(self.collection.cid),
            },
        )
