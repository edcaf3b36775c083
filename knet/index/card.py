"""Routing cards: what a node is about, in about 100 KiB whatever its size."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import faiss
import numpy as np
import numpy.typing as npt

from ..codec import cid_of
from ..records import VECTOR_DTYPE, Card, Space
from .lexical import document_frequency, term_hash, tokens
from .shard import Vectors

CENTROIDS = 64  # keeps 97.7 % of central recall together with the sketch (docs/papers.md); more gains little
SKETCH_TERMS = 6144  # 24 KiB each for hashes and counts, and about as much for places; the terms of most chunks
TRAINING_ROWS = 64 * 256  # k-means gains nothing beyond 256 rows a centroid


def make_card(
    space: Space,
    vectors: Vectors,
    texts: Sequence[str],
    *,
    title: str,
    documents: int,
    description: str = "",
    languages: Sequence[str] = (),
    licence: str = "",
    access: str = "public",
    cost: int = 0,
) -> Card:
    """The card of a collection: ``vectors`` is ``(chunks, dimension)`` float32, ``texts`` one a chunk."""
    centroids, nearest = _centroids(vectors)
    words = [tokens(text) for text in texts]
    kept = document_frequency(words).most_common(SKETCH_TERMS)
    sketch = sorted({term_hash(term): df for term, df in reversed(kept)}.items())
    terms = np.array([key for key, _ in sketch], "<u4")
    return Card(
        title=title,
        description=description,
        space=cid_of(space),
        documents=documents,
        chunks=len(texts),
        centroids=centroids.astype(VECTOR_DTYPE).tobytes(),
        weights=np.bincount(nearest, minlength=len(centroids)).astype("<u4").tobytes(),
        spreads=_spreads(vectors, centroids, nearest).astype(VECTOR_DTYPE).tobytes(),
        terms=terms.tobytes(),
        df=np.array([df for _, df in sketch], "<u4").tobytes(),
        places=zlib.compress(_places(words, nearest, terms).astype("<u8").tobytes(), 9),
        average_length=sum(map(len, words)) / max(len(words), 1),
        languages=list(languages),
        licence=licence,
        access=access,
        cost=cost,
    )


def _centroids(vectors: Vectors) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Unit centroids ``(n, dimension)``, and the nearest of them for every row."""
    if len(vectors) < CENTROIDS:
        return vectors, np.arange(len(vectors))
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        CENTROIDS,
        niter=10,
        seed=1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=TRAINING_ROWS // CENTROIDS,
    )
    kmeans.train(vectors)
    _, nearest = kmeans.index.search(vectors, 1)
    return np.asarray(kmeans.centroids, np.float32), nearest[:, 0]


def _spreads(vectors: Vectors, centroids: Vectors, nearest: npt.NDArray[np.int64]) -> Vectors:
    """``(n,)`` mean cosine of each centroid with the rows it stands for; 1 where it stands for none."""
    cosines = np.einsum("ij,ij->i", vectors, centroids[nearest])
    counts = np.bincount(nearest, minlength=len(centroids))
    sums = np.bincount(nearest, cosines, minlength=len(centroids))
    mean: Vectors = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0).astype(np.float32)
    return mean


def _places(
    words: Sequence[Sequence[str]], nearest: npt.NDArray[np.int64], terms: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint64]:
    """For each term of the sketch the centroids whose chunks hold it: bit ``i`` for centroid ``i``."""
    places = dict.fromkeys(terms.tolist(), 0)
    for chunk, centroid in zip(words, nearest.tolist(), strict=True):
        for key in map(term_hash, set(chunk)):
            if key in places:
                places[key] |= 1 << centroid
    return np.array(list(places.values()), "<u8")
