"""Routing cards: what a node is about, in about 100 KiB whatever its size."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import numpy.typing as npt

from ..codec import cid_of
from ..records import VECTOR_DTYPE, Card, Space
from .lexical import document_frequency, term_hash, tokens
from .shard import Vectors

CENTROIDS = 64  # keeps 97.7 % of central recall together with the sketch (docs/papers.md); more gains little
SKETCH_TERMS = 8192  # 64 KiB; the terms of most chunks, which is what tells nodes apart
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
    centroids, weights = _centroids(vectors)
    words = [tokens(text) for text in texts]
    kept = document_frequency(words).most_common(SKETCH_TERMS)
    sketch = sorted({term_hash(term): df for term, df in reversed(kept)}.items())
    return Card(
        title=title,
        description=description,
        space=cid_of(space),
        documents=documents,
        chunks=len(texts),
        centroids=centroids.astype(VECTOR_DTYPE).tobytes(),
        weights=weights.astype("<u4").tobytes(),
        terms=np.array([key for key, _ in sketch], "<u4").tobytes(),
        df=np.array([df for _, df in sketch], "<u4").tobytes(),
        average_length=sum(map(len, words)) / max(len(words), 1),
        languages=list(languages),
        licence=licence,
        access=access,
        cost=cost,
    )


def _centroids(vectors: Vectors) -> tuple[Vectors, npt.NDArray[np.int64]]:
    count = min(CENTROIDS, len(vectors))
    if count == 0:
        return vectors[:0], np.zeros(0, np.int64)
    if count < CENTROIDS:
        return vectors, np.ones(count, np.int64)
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=10,
        seed=1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=TRAINING_ROWS // CENTROIDS,
    )
    kmeans.train(vectors)
    _, nearest = kmeans.index.search(vectors, 1)
    centroids = np.asarray(kmeans.centroids, np.float32)
    return centroids, np.bincount(nearest[:, 0], minlength=count)
