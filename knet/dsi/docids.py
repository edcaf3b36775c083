"""Hierarchical docids: residual k-means codes of a passage's vector, and a suffix that distinguishes equal codes.

They follow DSI's "semantically structured identifiers" (Tay et al. 2022, section 3.2), with residual quantisation
instead of recursive clustering. A code has the same meaning in every part of the tree, so a new document gets one at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import faiss
import numpy as np
import numpy.typing as npt

from ..errors import CodecError

GROUP = 8  # target for the mean number of documents with equal codes, which differ in the suffix alone
MAX_GROUP = 32  # above this mean, another level of codes pays
MAX_CODES = 256  # per level; finer first levels did better than coarser ones with two levels (docs/papers.md)
MAX_LEVELS = 4
SEED = 1

Vectors = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint16]
Rows = npt.NDArray[np.int64]


class Trie:
    """Tree of the existing docids: ``codes`` is ``(documents, levels)``, rows in strictly ascending order.

    An *edge* is one code after one prefix. Edges are numbered level by level in the order of the rows. The children of
    an edge are thus consecutive, and the edges of the last level are the documents. Raises CodecError for other codes.
    """

    def __init__(self, codes: Codes) -> None:
        if codes.ndim != 2 or not 1 <= codes.shape[1] <= MAX_LEVELS:
            raise CodecError(f"Docids of shape {codes.shape} are not valid; 1 to {MAX_LEVELS} levels are allowed.")
        self.codes = codes
        changed = np.logical_or.accumulate(codes[1:] != codes[:-1], axis=1)
        first = np.argmax(codes[1:] != codes[:-1], axis=1)
        ahead = np.take_along_axis(codes[1:], first[:, None], 1) > np.take_along_axis(codes[:-1], first[:, None], 1)
        if len(codes) > 1 and not (changed[:, -1].all() and ahead.all()):
            raise CodecError("The docids are not unique and in order.")
        begins = np.ones(codes.shape, np.bool_)
        begins[1:] = changed
        self._first = [np.flatnonzero(begins[:, level]) for level in range(codes.shape[1])]
        self.offsets: Rows = np.cumsum([0, *map(len, self._first)])

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def levels(self) -> int:
        return int(self.codes.shape[1])

    @property
    def edges(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def paths(self) -> Rows:
        """``(documents, levels)``: the edges on the path to each document."""
        columns = [
            np.searchsorted(first, np.arange(len(self)), "right") - 1 + self.offsets[level]
            for level, first in enumerate(self._first)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((0, 0), np.int64)

    @cached_property
    def bounds(self) -> Rows:
        """``(edges + 1 - documents, 2)``: first and one past the last child; row 0 is the root, row e + 1 edge e."""
        rows = [np.array([[0, len(self._first[0])]])]
        for level in range(self.levels - 1):
            starts = np.searchsorted(self._first[level + 1], self._first[level])
            stops = np.append(starts[1:], len(self._first[level + 1]))
            rows.append(np.stack([starts, stops], axis=1) + self.offsets[level + 1])
        return np.concatenate(rows)


class Codebooks:
    """Residual quantizer: each level has ``(codes, dimension)`` centroids of the residuals of the level before."""

    def __init__(self, levels: Sequence[Vectors]) -> None:
        self.levels = list(levels)

    @classmethod
    def fit(cls, vectors: Vectors) -> Codebooks:
        """Fit residual k-means to ``(documents, dimension)``; the number of documents determines levels and codes."""
        levels: list[Vectors] = []
        residual = vectors.copy()
        for count in _codes_per_level(len(vectors)):
            centroids = kmeans(residual, count)
            levels.append(centroids)
            residual = residual - centroids[nearest_centroids(residual, centroids)]
        return cls(levels)

    def codes(self, vectors: Vectors) -> Codes:
        """Return ``(documents, levels)`` codes, without the suffix."""
        residual = vectors.copy()
        codes = np.zeros((len(vectors), len(self.levels)), np.uint16)
        for level, centroids in enumerate(self.levels):
            chosen = nearest_centroids(residual, centroids)
            codes[:, level] = chosen
            residual = residual - centroids[chosen]
        return codes


def add_suffixes(codes: Codes, taken: Codes | None = None) -> Codes:
    """Return codes with a last column that makes every row unique, also among ``taken``, which has that column."""
    following: dict[bytes, int] = {}
    for row in taken if taken is not None else []:
        key = row[:-1].tobytes()
        following[key] = max(following.get(key, 0), int(row[-1]) + 1)
    suffixes = np.zeros((len(codes), 1), np.uint16)
    for number, row in enumerate(codes):
        key = row.tobytes()
        suffixes[number] = following.get(key, 0)
        following[key] = int(suffixes[number, 0]) + 1
    return np.concatenate([codes, suffixes], axis=1)


def sort_order(codes: Codes) -> Rows:
    """Return the permutation that sorts docids."""
    return np.lexsort(codes.T[::-1])


def kmeans(vectors: Vectors, count: int, *, spherical: bool = False) -> Vectors:
    """Return ``(count, dimension)`` centroids; at most as many as vectors."""
    count = min(count, len(vectors))
    if count == len(vectors):
        return vectors.copy()
    trained = faiss.Kmeans(vectors.shape[1], count, niter=20, seed=SEED, spherical=spherical, min_points_per_centroid=1)
    trained.train(np.ascontiguousarray(vectors))
    centroids: Vectors = np.asarray(trained.centroids, np.float32).reshape(count, -1)
    return centroids


def nearest_centroids(vectors: Vectors, centroids: Vectors) -> Rows:
    """Return ``(rows,)``: the nearest centroid of each vector by Euclidean distance."""
    distance = (centroids**2).sum(axis=1)[None, :] - 2 * vectors @ centroids.T
    found: Rows = distance.argmin(axis=1)
    return found


def _codes_per_level(count: int) -> list[int]:
    sizes: list[int] = []
    left = float(count)
    while left > MAX_GROUP or not sizes:
        sizes.append(int(np.clip(round(left / GROUP), 1, MAX_CODES)))
        left /= sizes[-1]
        if len(sizes) == MAX_LEVELS - 1:
            break
    return sizes
