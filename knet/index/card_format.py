"""Whether what a node says about itself can be true at all: its card and space are read before anything is proven.

Routing and term statistics pool these numbers over all nodes, so one that is impossible would harm every question.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from ..codec import MAX_BLOCK
from ..records import VECTOR_DTYPE, Card, Manifest, ShardRef, Space
from .shard import Vectors

MAX_DIMENSION = 8192  # twice the largest embedding model in use
MAX_COSINE = 1.01  # float16 rounds
MAX_AVERAGE_LENGTH = MAX_BLOCK  # tokens a chunk: its text is at most one block


def read_centroids(card: Card, space: Space) -> Vectors:
    """``(n, dimension)`` float32, unit length. Raises ValueError when the bytes are no such rows."""
    rows: Vectors = np.frombuffer(card.centroids, VECTOR_DTYPE).reshape(-1, space.dimension).astype("f4")
    if not np.isfinite(rows).all():
        raise ValueError("a centroid is not a number")
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def read_df(card: Card) -> dict[int, int]:
    """Document frequency by term hash. Raises ValueError when there is not one number a term, or one is impossible."""
    terms, df = np.frombuffer(card.terms, "<u4").tolist(), np.frombuffer(card.df, "<u4").tolist()
    if any(count > card.chunks for count in df):
        raise ValueError("a term is in more chunks than there are")
    return dict(zip(terms, df, strict=True))


def read_spreads(card: Card) -> Vectors:
    """``(n,)`` float32, one a centroid; 1 where the card does not tell. Raises ValueError for what no cosine can be."""
    rows: Vectors = np.frombuffer(card.spreads, VECTOR_DTYPE).astype("f4")
    if not len(rows):
        return np.ones(len(card.weights) // 4, np.float32)
    if len(rows) * 4 != len(card.weights) or not (np.abs(rows) <= MAX_COSINE).all():
        raise ValueError("it has not one spread a centroid, or one is no cosine")
    return rows


def read_places(card: Card) -> npt.NDArray[np.uint64]:
    """``(terms,)``: bit i tells whether a chunk of centroid i holds the term; every bit where the card does not tell.

    Raises ValueError when the bytes are not one number a term.
    """
    terms = len(card.terms) // 4
    if not card.places:
        return np.full(terms, 2**64 - 1, np.uint64)
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(card.places, 8 * terms + 1)  # never more, whatever was compressed
    except zlib.error as error:
        raise ValueError("its places are not compressed with zlib") from error
    if len(data) != 8 * terms:
        raise ValueError("it has not one place a term")
    return np.frombuffer(data, "<u8")


def check_shape(manifest: Manifest, card: Card, space: Space) -> None:
    """Raises ValueError with the reason when manifest, card and space cannot belong together."""
    if not 0 < space.dimension <= MAX_DIMENSION:
        raise ValueError(f"its space has {space.dimension} dimensions")
    if card.space != manifest.space:
        raise ValueError("it is of another space")
    if (card.documents, card.chunks) != (manifest.documents, manifest.chunks):
        raise ValueError("it counts other documents or chunks than the manifest")
    if card.chunks != sum(_standing(ref, space) for ref in manifest.shards) or card.documents < 0:
        raise ValueError("the manifest's shards hold another number of chunks")
    if not 0 <= card.average_length <= MAX_AVERAGE_LENGTH:
        raise ValueError(f"its average length is {card.average_length}")
    if len(read_centroids(card, space)) * 4 != len(card.weights):
        raise ValueError("it has not one weight a centroid")
    read_df(card)
    read_spreads(card)
    read_places(card)


def _standing(ref: ShardRef, space: Space) -> int:
    """Chunks of a shard that were not removed. Raises ValueError for numbers no shard can have."""
    vector = space.dimension * np.dtype(VECTOR_DTYPE).itemsize
    at = removed = 0
    for gone in sorted(ref.removed, key=lambda gone: gone.start):
        if not at <= gone.start < gone.stop <= ref.count:
            raise ValueError(f"the tombstones of shard {ref.shard} overlap or lie outside it")
        at, removed = gone.stop, removed + gone.stop - gone.start
    if not 0 < ref.count * vector <= MAX_BLOCK:
        raise ValueError(f"shard {ref.shard} would hold {ref.count} chunks")
    return ref.count - removed
