"""Finding the vectors nearest to a query: exactly in process by default, or by whatever engine an owner runs.

An engine only proposes candidates. What a node answers, scores and proves comes from the committed chunks.
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
    """The vectors of one collection, findable."""

    def nearest(self, vector: Vectors, k: int) -> Rows:
        """At most ``k`` rows whose vectors have the largest dot product with ``(dimension,)`` float32, or nearly.

        Raises StoreError when an engine outside this process fails.
        """
        ...


class DenseIndexFactory(Protocol):
    """Makes the index of a collection."""

    def __call__(self, vectors: Vectors, keys: Sequence[bytes]) -> DenseIndex:
        """``vectors`` is ``(chunks, dimension)`` float32; ``keys`` are the chunks' leaf hashes, 32 bytes each.

        Equal keys are equal chunks, in every version of a collection. Raises StoreError.
        """
        ...


class ExactIndex:
    """Every vector compared, in memory: nothing is missed."""

    def __init__(self, vectors: Vectors, keys: Sequence[bytes] = ()) -> None:
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)

    def nearest(self, vector: Vectors, k: int) -> Rows:
        faiss.omp_set_num_threads(1)  # of this thread: a node answers many at once, and threads would wait by spinning
        _, rows = self._index.search(vector[None, :], min(k, self._index.ntotal))
        found: Rows = rows[0]
        return found
