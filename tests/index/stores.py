"""LangChain vector stores for `knet node init --index tests.index.stores:in_memory` and other tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore


def in_memory(embeddings: Embeddings) -> VectorStore:
    return InMemoryVectorStore(embeddings)


def qdrant(embeddings: Embeddings) -> VectorStore:
    """Return Qdrant in this process, in the folder ``$QDRANT`` or in memory."""
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    folder = os.environ.get("QDRANT", "")
    client = QdrantClient(path=folder) if folder else QdrantClient(":memory:")
    if not client.collection_exists("knet"):
        size = len(embeddings.embed_query("dimension"))
        client.create_collection("knet", VectorParams(size=size, distance=Distance.COSINE))
    return QdrantVectorStore(client, "knet", embeddings)


class Forgetful(InMemoryVectorStore):
    """Vector store that cannot list its entries, like some hosted stores."""

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        raise NotImplementedError


class Lying(InMemoryVectorStore):
    """Vector store that proposes entries it was never given."""

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        return [Document(page_content="ab" * 32), *super().similarity_search_by_vector(embedding, k, **options)]


class Broken(InMemoryVectorStore):
    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        raise ConnectionError("connection refused")


def broken(embeddings: Embeddings) -> VectorStore:
    return Broken(embeddings)
