"""Routing cards: what a node is about, in about 100 KiB whatever its size."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import faiss
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from ..codec import cid_of
from ..records import VECTOR_DTYPE, Card, Space
from .card_format import read_centroids, read_df, read_places, read_spreads
from .lexical import document_frequency, term_hash, tokens
from .shard import Vectors

CENTROIDS = 64  # keeps 97.7 % of central recall together with the sketch (docs/papers.md); more gains little
SKETCH_TERMS = 6144  # 24 KiB each for hashes and counts, and about as much for places; the terms of most chunks
TRAINING_ROWS = 64 * 256  # k-means gains nothing beyond 256 rows a centroid

Ids = npt.NDArray[np.int64]


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
        terms=terms.tobytes(),
        df=np.array([df for _, df in sketch], "<u4").tobytes(),
        average_length=length / max(chunks, 1),
        languages=list(languages),
        licence=licence,
        access=access,
        cost=cost,
        **around.fields,
    )


def revise_card(card: Card, space: Space, come: Iterable[Batch], gone: Iterable[Batch], *, documents: int) -> Card:
    """The card after a change, in time that depends on the change alone.

    Centroids and the sketch's terms stay; all counts are right, spreads as far as float16 keeps them. A term that no
    chunk of a centroid holds any more stays marked there.
    """
    df = read_df(card)
    places = dict(zip(df, read_places(card).tolist(), strict=True))
    weights = np.frombuffer(card.weights, "<u4").astype(np.int64)
    around = _Around(read_centroids(card, space), weights, read_spreads(card), places)
    chunks, length = card.chunks, round(card.average_length * card.chunks)
    for sign, batches in ((-1, gone), (1, come)):
        for vectors, texts in batches:
            words = [tokens(text) for text in texts]
            if sign > 0:
                around.take(vectors, words)
            else:
                around.drop(vectors)
            for term, count in document_frequency(words).items():
                if (key := term_hash(term)) in df:
                    df[key] += sign * count
            chunks += sign * len(texts)
            length += sign * sum(map(len, words))
    return replace(
        card,
        documents=documents,
        chunks=chunks,
        df=np.clip(list(df.values()), 0, chunks).astype("<u4").tobytes(),
        average_length=length / max(chunks, 1),
        **around.fields,
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


def _surroundings(centroids: Vectors, terms: npt.NDArray[np.uint32], batches: Iterable[Batch]) -> _Around:
    zeros = np.zeros(len(centroids), np.int64)
    around = _Around(centroids, zeros, zeros.astype(np.float32), dict.fromkeys(terms.tolist(), 0))
    few, seen = len(centroids) < CENTROIDS, 0  # then each chunk is its own centroid
    for vectors, texts in batches:
        own = np.arange(seen, seen + len(texts)) if few else None
        around.take(vectors, [tokens(text) for text in texts], nearest=own)
        seen += len(texts)
    return around


class _Around:
    """What stands around each centroid, and for each term the centroids whose chunks hold it: bit i for centroid i."""

    def __init__(self, centroids: Vectors, weights: npt.NDArray[np.int64], spreads: Vectors, places: dict[int, int]):
        self.places = places
        self._centroids = centroids
        self._weights = weights
        self._sums = weights * spreads.astype(np.float64)
        self._index = faiss.IndexFlatIP(centroids.shape[1])
        self._index.add(centroids)

    def take(self, vectors: Vectors, words: Sequence[Sequence[str]], *, nearest: Ids | None = None) -> None:
        """Chunks that are there; ``nearest`` names their centroids where that is known."""
        if words:
            near = self._count(vectors, 1, nearest)
            self._mark(words, near)

    def drop(self, vectors: Vectors) -> None:
        """Chunks that are there no more. What they marked stays: another chunk may hold it as well."""
        if len(vectors):
            self._count(vectors, -1, None)

    @property
    def fields(self) -> dict[str, bytes]:
        """As a card has them."""
        spreads = np.where(self._weights > 0, self._sums / np.maximum(self._weights, 1), 1.0)
        return {
            "weights": np.maximum(self._weights, 0).astype("<u4").tobytes(),
            "spreads": np.clip(spreads, -1, 1).astype(VECTOR_DTYPE).tobytes(),
            "places": zlib.compress(np.array(list(self.places.values()), "<u8").tobytes(), 9),
        }

    def _count(self, vectors: Vectors, sign: int, nearest: Ids | None) -> Ids:
        near: Ids = self._index.search(vectors, 1)[1][:, 0] if nearest is None else nearest
        cosines = np.einsum("ij,ij->i", vectors, self._centroids[near])
        self._weights = self._weights + sign * np.bincount(near, minlength=len(self._centroids))
        self._sums = self._sums + sign * np.bincount(near, cosines, minlength=len(self._centroids))
        return near

    def _mark(self, words: Sequence[Sequence[str]], nearest: Ids) -> None:
        around: defaultdict[int, set[str]] = defaultdict(set)
        for chunk, centroid in zip(words, nearest.tolist(), strict=True):
            around[centroid].update(chunk)
        for centroid, terms in around.items():
            for key in map(term_hash, terms):
                if key in self.places:
                    self.places[key] |= 1 << centroid
