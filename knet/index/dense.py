"""Vector indexes of a collection: their protocol, and the default, an exact search in this process.

A vector index only proposes candidates. A node's replies, scores and proofs come from the committed chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import faiss
import numpy as np
import numpy.typing as npt

from .shard import Vectors

Rows = npt.NDArray[np.int64]


class DenseIndex(Protocol):
    """Vector index of one collection."""

    def nearest(self, vector: Vectors, k: int) -> Rows:
        """Return at most ``k`` rows with the (approximately) largest dot products with ``(dimension,)`` float32.

        Raises StoreError when an index outside this process fails.
        """
        ...


class DenseIndexFactory(Protocol):
    """Factory of the vector index of a collection."""

    def __call__(self, vectors: Vectors, keys: Sequence[bytes]) -> DenseIndex:
        """Return an index of ``vectors``, ``(chunks, dimension)`` float32. ``keys`` are leaf hashes of 32 bytes.

        Equal keys are equal chunks, in every version of a collection. Raises StoreError.
        """
        ...


class ExactIndex:
    """Exact vector index in memory, which compares every vector."""

    def __init__(self, vectors: Vectors, keys: Sequence[bytes] = ()) -> None:
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def nearest(self, vector: Vectors, k: int) -> Rows:
        faiss.omp_set_num_threads(1)  # per thread: a node answers many requests at once, and idle OpenMP threads spin
        _, rows = self._index.search(vector[None, :], min(k, self._index.ntotal))
        found: Rows = rows[0]
        return found
