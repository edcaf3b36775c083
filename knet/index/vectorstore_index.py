"""Any LangChain vector store as the engine that finds a node's candidates.

The store is given each chunk's committed vector under the chunk's leaf hash, and neither text nor metadata: what it
says is looked up among the committed chunks, so a store that lies or lags costs recall and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from ..errors import KnetError, StoreError
from ..files import write_atomically
from .dense import Rows
from .shard import Vectors

BATCH = 500  # entries a call: what hosted stores take in one request
KEY_BYTES = 32

OpenStore = Callable[[Embeddings], VectorStore]


class CommittedVectors(Embeddings):
    """What a store embeds with: it looks the committed vectors up by key. Other texts get some unit vector.

    Stores embed a text of their own to learn the dimension.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.known.get(text) or [1.0, *[0.0] * (self.dimension - 1)]


class VectorStoreIndexFactory:
    """Keeps one vector store in step with the versions of a node's collection, and makes their indexes.

    ``open_store`` is called once; ``journal`` is the file that remembers which chunks the store was given, for stores
    that outlive this process but cannot list what they hold.
    """

    def __init__(self, open_store: OpenStore, journal: Path) -> None:
        self._open = open_store
        self._journal = journal
        self._opened: tuple[CommittedVectors, VectorStore] | None = None

    def __call__(self, vectors: Vectors, keys: Sequence[bytes]) -> VectorStoreIndex:
        """Bring the store up to a version: what is new is added, what is gone deleted. Raises StoreError."""
        rows = {key: row for row, key in enumerate(keys)}
        try:
            committed, store = self._store(vectors.shape[1])
            known = self._held(store)
            self._add(committed, store, vectors, [(key, row) for key, row in rows.items() if key not in known])
            gone = [_id(key) for key in known - rows.keys()]
            for first in range(0, len(gone), BATCH):
                store.delete(gone[first : first + BATCH])
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

    def _held(self, store: VectorStore) -> set[bytes]:
        """The chunks the store holds: those it was given, less those it says it lost."""
        data = self._journal.read_bytes() if self._journal.exists() else b""
        given = [data[first : first + KEY_BYTES] for first in range(0, len(data), KEY_BYTES)]
        held: set[bytes] = set()
        try:
            for first in range(0, len(given), BATCH):
                found = store.get_by_ids([_id(key) for key in given[first : first + BATCH]])
                held.update(bytes.fromhex(document.page_content) for document in found)
        except NotImplementedError:
            return set(given)
        return held

    def _add(
        self, committed: CommittedVectors, store: VectorStore, vectors: Vectors, new: list[tuple[bytes, int]]
    ) -> None:
        for first in range(0, len(new), BATCH):
            some = new[first : first + BATCH]
            committed.known = {key.hex(): vectors[row].tolist() for key, row in some}
            store.add_texts([key.hex() for key, _ in some], ids=[_id(key) for key, _ in some])
            committed.known = {}


class VectorStoreIndex:
    """One version of a collection in a store."""

    def __init__(self, store: VectorStore, rows: dict[bytes, int]) -> None:
        self._store = store
        self._rows = rows

    def nearest(self, vector: Vectors, k: int) -> Rows:
        """Rows the store proposes; what it holds beyond this version is left out. Raises StoreError."""
        try:
            found = self._store.similarity_search_by_vector(vector.tolist(), k=k)
            keys = [bytes.fromhex(document.page_content) for document in found]
        except Exception as error:  # stores raise whatever their clients do
            raise _failed("did not answer", error) from error
        return np.array([self._rows[key] for key in keys if key in self._rows], np.int64)


def _id(key: bytes) -> str:
    """A UUID, which every store takes as an id and some insist on."""
    return str(UUID(bytes=key[:16]))


def _failed(what: str, error: Exception) -> StoreError:
    return StoreError(
        f"the vector store {what}: {type(error).__name__}: {error}", hint="Check it, or run without `index`."
    )
