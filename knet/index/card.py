"""Routing cards: a summary of a node's topics in about 100 KiB, whatever its size."""

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
from .analyser import ANALYSER, tokens
from .card_format import read_centroids, read_df, read_places, read_spreads
from .lexical import document_frequency, term_hash
from .shard import Vectors

CENTROIDS = 64  # with the sketch, keeps 97.7 % of central recall (docs/papers.md); more gains little
SKETCH_TERMS = 6144  # 24 KiB each for hashes and counts, and about as much for places; the terms of most chunks
TRAINING_ROWS = 64 * 256  # k-means gains nothing beyond 256 rows a centroid

Ids = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Some chunks of a collection: ``vectors`` is ``(n, dimension)`` float32, ``texts`` one per chunk."""

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
    """Return the card of a collection. ``batches`` is iterated twice, so the collection need not fit in memory."""
    chunks, length, counts, sample = _collect_statistics(space, batches)
    centroids = _centroids(sample)
    sketch = sorted({term_hash(term): df for term, df in reversed(counts.most_common(SKETCH_TERMS))}.items())
    terms = np.array([key for key, _ in sketch], "<u4")
    stats = _CentroidStats(centroids, np.zeros(len(centroids), np.int64), 0.0, dict.fromkeys(terms.tolist(), 0))
    seen = 0
    for vectors, texts in batches:  # with few chunks, each is its own centroid
        nearest = np.arange(seen, seen + len(texts)) if len(centroids) < CENTROIDS else None
        stats.add(vectors, [tokens(text) for text in texts], nearest=nearest)
        seen += len(texts)
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
        analyser=ANALYSER,
        **stats.fields,
    )


def revise_card(card: Card, space: Space, added: Iterable[Batch], removed: Iterable[Batch], *, documents: int) -> Card:
    """Return the card after a change, in time that depends on the change alone.

    Centroids and the sketch's terms stay. All counts are exact, spreads within the precision of float16. A term stays
    marked at a centroid after its last chunk there was removed.
    """
    df = read_df(card)
    places = dict(zip(df, read_places(card).tolist(), strict=True))
    weights = np.frombuffer(card.weights, "<u4").astype(np.int64)
    stats = _CentroidStats(read_centroids(card, space), weights, read_spreads(card), places)
    chunks, length = card.chunks, round(card.average_length * card.chunks)
    for sign, batches in ((-1, removed), (1, added)):
        for vectors, texts in batches:
            words = [tokens(text) for text in texts]
            if sign > 0:
                stats.add(vectors, words)
            elif words:
                stats.count(vectors, -1)
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
        **stats.fields,
    )


def _collect_statistics(space: Space, batches: Iterable[Batch]) -> tuple[int, int, Counter[str], Vectors]:
    """Return numbers of chunks and of tokens, document frequencies, and training vectors: all, or a uniform sample."""
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
    """Return the sample of `TRAINING_ROWS` after more rows: reservoir sampling (Vitter 1985, algorithm R)."""
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
    """Return unit centroids ``(n, dimension)``; the vectors themselves where there are few."""
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


class _CentroidStats:
    """Weights and spreads of centroids, and for each term a bit mask of the centroids whose chunks hold it."""

    def __init__(
        self, centroids: Vectors, weights: npt.NDArray[np.int64], spreads: Vectors | float, places: dict[int, int]
    ) -> None:
        self._places = places
        self._centroids = centroids
        self._weights = weights
        self._sums = weights * np.asarray(spreads, np.float64)
        self._index = faiss.IndexFlatIP(centroids.shape[1])
        self._index.add(centroids)

    def add(self, vectors: Vectors, words: Sequence[Sequence[str]], *, nearest: Ids | None = None) -> None:
        """Add chunks, given as vectors and tokens; ``nearest`` names their centroids where they are known."""
        if not words:
            return
        terms: defaultdict[int, set[str]] = defaultdict(set)
        for chunk, centroid in zip(words, self.count(vectors, 1, nearest).tolist(), strict=True):
            terms[centroid].update(chunk)
        for centroid, held in terms.items():
            for key in map(term_hash, held):
                if key in self._places:
                    self._places[key] |= 1 << centroid

    def count(self, vectors: Vectors, sign: int, nearest: Ids | None = None) -> Ids:
        """Add chunks to the weights and spreads (sign 1) or remove them (-1); return their centroids."""
        if nearest is None:
            nearest = self._index.search(vectors, 1)[1][:, 0]
        cosines = np.einsum("ij,ij->i", vectors, self._centroids[nearest])
        self._weights = self._weights + sign * np.bincount(nearest, minlength=len(self._centroids))
        self._sums = self._sums + sign * np.bincount(nearest, cosines, minlength=len(self._centroids))
        return nearest

    @property
    def fields(self) -> dict[str, bytes]:
        """Fields of a card."""
        spreads = np.where(self._weights > 0, self._sums / np.maximum(self._weights, 1), 1.0)
        return {
            "weights": np.maximum(self._weights, 0).astype("<u4").tobytes(),
            "spreads": np.clip(spreads, -1, 1).astype(VECTOR_DTYPE).tobytes(),
            "places": zlib.compress(np.array(list(self._places.values()), "<u8").tobytes(), 9),
        }
