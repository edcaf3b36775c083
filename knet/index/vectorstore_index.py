"""Vector index of a node in any LangChain vector store.

The store receives each chunk's committed vector under the chunk's leaf hash, without text and metadata. Its results are
looked up among the committed chunks, so a wrong or outdated store costs recall and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from ..errors import KnetError, StoreError
from ..files import write_atomically
from .dense import Rows
from .shard import Vectors

BATCH = 500  # entries per call: the limit of hosted stores
KEY_BYTES = 32

OpenStore = Callable[[Embeddings], VectorStore]


class CommittedVectors(Embeddings):
    """Embeddings for a store, which return committed vectors by key.

    Other texts get an arbitrary unit vector: stores embed a text of their own to determine the dimension.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.known.get(text) or [1.0, *[0.0] * (self.dimension - 1)]


class VectorStoreIndexFactory:
    """Factory of indexes in one vector store, which it updates to each version of a node's collection.

    ``open_store`` is called once. The file ``journal`` lists the chunks that the store was given, for stores that
    outlive this process but cannot list their entries.
    """

    def __init__(self, open_store: OpenStore, journal: Path) -> None:
        self._open = open_store
        self._journal = journal
        self._opened: tuple[CommittedVectors, VectorStore] | None = None

    def __call__(self, vectors: Vectors, keys: Sequence[bytes]) -> VectorStoreIndex:
        """Update the store to a version: add new chunks, delete removed ones. Raises StoreError."""
        rows = {key: row for row, key in enumerate(keys)}
        try:
            committed, store = self._store(vectors.shape[1])
            known = self._known(store)
            for batch in _batched([key for key in rows if key not in known]):
                committed.known = {key.hex(): vectors[rows[key]].tolist() for key in batch}
                store.add_texts([key.hex() for key in batch], ids=[_id(key) for key in batch])
            committed.known = {}
            for batch in _batched(known - rows.keys()):
                store.delete([_id(key) for key in batch])
            write_atomically(self._journal, b"".join(rows))
        except KnetError:
            raise
        except Exception as error:  # stores raise whatever their clients do
            raise _failed("could not be brought up to date", error) from error
        return VectorStoreIndex(store, rows)

    def _store(self, dimension: int) -> tuple[CommittedVectors, VectorStore]:
        if self._opened is None or self._opened[0].dimension != dimension:
            committed = CommittedVectors(dimension)
            self._opened = (committed, self._open(committed))
        return self._opened

    def _known(self, store: VectorStore) -> set[bytes]:
        """Return the chunks in the store: those it was given, less those that it does not find."""
        data = self._journal.read_bytes() if self._journal.exists() else b""
        given = [data[first : first + KEY_BYTES] for first in range(0, len(data), KEY_BYTES)]
        held: set[bytes] = set()
        try:
            for batch in _batched(given):
                found = store.get_by_ids([_id(key) for key in batch])
                held.update(bytes.fromhex(document.page_content) for document in found)
        except NotImplementedError:
            return set(given)
        return held


class VectorStoreIndex:
    """Index of one version of a collection in a store."""

    def __init__(self, store: VectorStore, rows: dict[bytes, int]) -> None:
        self._store = store
        self._rows = rows

    def nearest(self, vector: Vectors, k: int) -> Rows:
        """Return the rows that the store proposes, without those of other versions. Raises StoreError."""
        try:
            found = self._store.similarity_search_by_vector(vector.tolist(), k=k)
            keys = [bytes.fromhex(document.page_content) for document in found]
        except Exception as error:  # stores raise whatever their clients do
            raise _failed("did not answer", error) from error
        return np.array([self._rows[key] for key in keys if key in self._rows], np.int64)


def _batched(keys: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Yield the keys in tuples of `BATCH`."""
    remaining = iter(keys)
    return iter(lambda: tuple(islice(remaining, BATCH)), ())


def _id(key: bytes) -> str:
    """Return a UUID for a key; some stores accept no other ids."""
    return str(UUID(bytes=key[:16]))


def _failed(problem: str, error: Exception) -> StoreError:
    return StoreError(
        f"The vector store {problem}: {type(error).__name__}: {error}.",
        hint="Check the store, or remove `index` from the node's configuration.",
    )
