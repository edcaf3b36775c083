"""Quantizer of the vectors of one space: coarse cells and product quantisation.

Product quantisation after Jegou, Douze, Schmid (2011), inverted lists as there, but of whole vectors instead of what is
left beyond their cell, so that a code means the same wherever it lies.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from ...errors import CodecError
from ...files import write_atomically
from ...index.shard import Vectors
from .segment import CODE

CELLS = 1024
PROBED = 12  # cells looked into: eight times as many find nothing more among a node's best
TRAINED = 16384  # vectors to learn from: 16 a cell, 64 for each value of a byte
ROUNDS = 8  # of k-means
BITS = 8

Bytes = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.uint16]


class Quantizer:
    """Cells and codes of one space, trained once. Immutable."""

    def __init__(self, index: Any, dimension: int) -> None:
        self._empty = index
        self._dimension = dimension
        books = faiss.vector_to_array(index.pq.centroids)
        self._books = books.reshape(CODE, 1 << BITS, -1)
        self._cells = index.quantizer.reconstruct_n(0, CELLS)

    @classmethod
    def learn(cls, vectors: Vectors) -> Quantizer:
        """Train on ``(n, dimension)`` unit vectors; more vectors give better cells."""
        padded = _padded(vectors[:TRAINED])
        if len(padded) < CELLS:  # nodes that hold next to nothing: cells may be the same
            padded = np.resize(padded, (CELLS, padded.shape[1]))
        index: Any = faiss.index_factory(padded.shape[1], f"IVF{CELLS},PQ{CODE}np", faiss.METRIC_INNER_PRODUCT)
        index.by_residual = False
        for way in (index.cp, index.pq.cp):
            way.niter, way.seed, way.min_points_per_centroid = ROUNDS, 1, 1
        with _alone():
            index.train(padded)
        return cls(index, vectors.shape[1])

    def save(self, path: Path) -> None:
        write_atomically(path, faiss.serialize_index(self._empty).tobytes())

    @classmethod
    def load(cls, path: Path, dimension: int) -> Quantizer:
        """Read a quantizer. Raises CodecError when the file is not one that `save` wrote for this dimension."""
        try:
            index = faiss.deserialize_index(np.frombuffer(path.read_bytes(), np.uint8))
        except (OSError, RuntimeError) as error:
            raise CodecError(f"{path} is not a valid quantizer: {error}.") from error
        if not isinstance(index, faiss.IndexIVFPQ) or index.d != _width(dimension) or index.pq.M != CODE:
            raise CodecError(f"{path} is of another space.")
        return cls(index, dimension)

    def encode(self, vectors: Vectors) -> tuple[Cells, Bytes]:
        """Return the cell ``(n,)`` and code ``(n, CODE)`` of each vector."""
        padded = _padded(vectors)
        cells = (padded @ self._cells.T).argmax(1)
        codes = np.empty((len(padded), CODE), np.uint8)
        parts = padded.reshape(len(padded), CODE, -1)
        for number, book in enumerate(self._books):  # a good deal faster than faiss's own for parts this short
            near = parts[:, number] @ book.T
            near -= (book * book).sum(1) / 2
            codes[:, number] = near.argmax(1)
        return cells.astype(np.uint16), codes

    def table(self, vector: Vectors) -> npt.NDArray[np.float32]:
        """Return ``(CODE * 256,)``: the part of the cosine with ``vector`` for each value of each byte of a code."""
        parts = _padded(vector[None]).reshape(CODE, 1, -1)
        table: npt.NDArray[np.float32] = np.einsum("mkd,mxd->mk", self._books, parts).ravel()
        return table

    def code_index(self) -> CodeIndex:
        """Return an empty index of this space."""
        return CodeIndex(faiss.clone_index(self._empty))


class CodeIndex:
    """Codes of one space by cell. One thread may add while others search."""

    def __init__(self, index: Any) -> None:
        self._lock = threading.Lock()
        self._index = index
        self._index.nprobe = PROBED

    def add(self, ids: npt.NDArray[np.int64], cells: Cells, codes: Bytes) -> None:
        """Take in codes ``(n, CODE)`` under ``ids`` ``(n,)``."""
        order = np.argsort(cells, kind="stable")
        ids, codes = np.ascontiguousarray(ids[order]), np.ascontiguousarray(codes[order])
        ends = np.cumsum(np.bincount(cells, minlength=CELLS))
        first = 0
        with self._lock:
            for cell, end in enumerate(ends.tolist()):
                if end > first:
                    own, coded = ids[first:end], codes[first:end]
                    self._index.invlists.add_entries(cell, end - first, faiss.swig_ptr(own), faiss.swig_ptr(coded))
                first = end
            self._index.ntotal += len(ids)

    def nearest(self, vector: Vectors, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return ids of about the ``count`` codes nearest to a unit vector, and their cosines with it."""
        with self._lock, _alone():
            cosines, ids = self._index.search(_padded(vector[None]), count)
        found = ids[0] >= 0
        return ids[0][found], cosines[0][found]


@contextmanager
def _alone() -> Iterator[None]:
    """Run faiss in one thread: work this small ends before others wake up, and idle ones wait by spinning."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _width(dimension: int) -> int:
    return -(-dimension // CODE) * CODE


def _padded(vectors: Vectors) -> Vectors:
    """Return the vectors with zeros up to a multiple of `CODE` dimensions, which changes no inner product."""
    missing = _width(vectors.shape[1]) - vectors.shape[1]
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors, np.float32)
