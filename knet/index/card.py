"""Routing cards: what a node is about, in about 100 KiB whatever its size."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

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


class Batch(NamedTuple):
    """Some chunks of a collection: ``vectors`` is ``(n, dimension)`` float32, ``texts`` one a chunk."""

    vectors: Vectors
    texts: Sequence[str]


def make_card(
    space: Space,
    batches: Iterable[Batch],
    *,
    title: str,
    documents: int,
    description: str = "",
    languages: Sequence[str] = (),
    licence: str = "",
    access: str = "public",
    cost: int = 0,
) -> Card:
    """The card of a collection, never held as a whole: ``batches`` is iterated over twice."""
    chunks, length, counts, sample = _survey(space, batches)
    centroids = _centroids(sample)
    sketch = sorted({term_hash(term): df for term, df in reversed(counts.most_common(SKETCH_TERMS))}.items())
    terms = np.array([key for key, _ in sketch], "<u4")
    around = _surroundings(centroids, terms, batches)
    return Card(
        title=title,
        description=description,
        space=cid_of(space),
        documents=documents,
        chunks=chunks,
        centroids=centroids.astype(VECTOR_DTYPE).tobytes(),
        weights=around.weights.astype("<u4").tobytes(),
        spreads=around.spreads.astype(VECTOR_DTYPE).tobytes(),
        terms=terms.tobytes(),
        df=np.array([df for _, df in sketch], "<u4").tobytes(),
        places=zlib.compress(around.places.astype("<u8").tobytes(), 9),
        average_length=length / max(chunks, 1),
        languages=list(languages),
        licence=licence,
        access=access,
        cost=cost,
    )


def _survey(space: Space, batches: Iterable[Batch]) -> tuple[int, int, Counter[str], Vectors]:
    """Chunks, tokens in all, in how many chunks each term occurs, and vectors to train on: all, or a fair sample."""
    chunks = length = 0
    counts: Counter[str] = Counter()
    sample = np.empty((0, space.dimension), np.float32)
    random = np.random.default_rng(1)
    for vectors, texts in batches:
        words = [tokens(text) for text in texts]
        counts.update(document_frequency(words))
        length += sum(map(len, words))
        sample = _sampled(sample, vectors, chunks, random)
        chunks += len(texts)
    return chunks, length, counts, sample


def _sampled(sample: Vectors, vectors: Vectors, seen: int, random: np.random.Generator) -> Vectors:
    """The sample of `TRAINING_ROWS` with more rows considered: reservoir sampling (Vitter 1985, algorithm R)."""
    spare = TRAINING_ROWS - len(sample)
    rest = vectors[spare:]
    if spare:
        sample = np.concatenate([sample, vectors[:spare]])
    if len(rest):
        places = random.integers(0, np.arange(seen + len(vectors) - len(rest), seen + len(vectors)) + 1)
        kept = places < TRAINING_ROWS
        sample[places[kept]] = rest[kept]
    return sample


def _centroids(vectors: Vectors) -> Vectors:
    """Unit centroids ``(n, dimension)``; the vectors themselves where there are few."""
    if len(vectors) < CENTROIDS:
        return vectors
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
    centroids: Vectors = np.asarray(kmeans.centroids, np.float32)
    return centroids


class _Around(NamedTuple):
    """What stands around each centroid, and for each term the centroids whose chunks hold it: bit i for centroid i."""

    weights: npt.NDArray[np.int64]
    spreads: Vectors
    places: npt.NDArray[np.uint64]


def _surroundings(centroids: Vectors, terms: npt.NDArray[np.uint32], batches: Iterable[Batch]) -> _Around:
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(centroids)
    weights, sums = np.zeros(len(centroids), np.int64), np.zeros(len(centroids))
    places = dict.fromkeys(terms.tolist(), 0)
    few, seen = len(centroids) < CENTROIDS, 0  # then each chunk is its own centroid
    for vectors, texts in batches:
        if not texts:
            continue
        nearest = np.arange(seen, seen + len(texts)) if few else index.search(vectors, 1)[1][:, 0]
        seen += len(texts)
        weights += np.bincount(nearest, minlength=len(centroids))
        sums += np.bincount(nearest, np.einsum("ij,ij->i", vectors, centroids[nearest]), minlength=len(centroids))
        _mark(places, [tokens(text) for text in texts], nearest)
    spreads = np.where(weights > 0, sums / np.maximum(weights, 1), 1.0).astype(np.float32)
    return _Around(weights, spreads, np.array(list(places.values()), "<u8"))


def _mark(places: dict[int, int], words: Sequence[Sequence[str]], nearest: npt.NDArray[np.int64]) -> None:
    around: defaultdict[int, set[str]] = defaultdict(set)
    for chunk, centroid in zip(words, nearest.tolist(), strict=True):
        around[centroid].update(chunk)
    for centroid, terms in around.items():
        for key in map(term_hash, terms):
            if key in places:
                places[key] |= 1 << centroid
