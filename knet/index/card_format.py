"""Decoding and plausibility checks of a node's card and space.

Routing and term statistics pool these numbers over all nodes, so an impossible number would harm every question.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from ..codec import MAX_BLOCK
from ..records import VECTOR_DTYPE, Card, Manifest, ShardRef, Space
from .analyser import ANALYSER
from .shard import Vectors, has_repeats

MAX_DIMENSION = 8192  # twice the largest embedding model in use
MAX_COSINE = 1.01  # float16 rounds
MAX_AVERAGE_LENGTH = MAX_BLOCK  # tokens per chunk: its text is at most one block


def read_centroids(card: Card, space: Space) -> Vectors:
    """Return ``(n, dimension)`` float32 of unit length. Raises ValueError when the bytes are not such rows."""
    rows: Vectors = np.frombuffer(card.centroids, VECTOR_DTYPE).reshape(-1, space.dimension).astype("f4")
    if not np.isfinite(rows).all():
        raise ValueError("a centroid is not a number")
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def has_current_terms(card: Card) -> bool:
    """Return True if the card's terms are those of this version's analyser; those of another version match none."""
    return card.analyser == ANALYSER


def read_df(card: Card) -> dict[int, int]:
    """Return document frequency by term hash. Raises ValueError for an impossible number, or not one for each term."""
    terms, df = np.frombuffer(card.terms, "<u4").tolist(), np.frombuffer(card.df, "<u4").tolist()
    if any(count > card.chunks for count in df):
        raise ValueError("a term is in more chunks than there are")
    return dict(zip(terms, df, strict=True))


def read_spreads(card: Card) -> Vectors:
    """Return ``(n,)`` float32, one per centroid; 1 if the card has none. Raises ValueError for an impossible cosine."""
    rows: Vectors = np.frombuffer(card.spreads, VECTOR_DTYPE).astype("f4")
    if not len(rows):
        return np.ones(len(card.weights) // 4, np.float32)
    if len(rows) * 4 != len(card.weights) or not (np.abs(rows) <= MAX_COSINE).all():
        raise ValueError("it does not have one cosine per centroid as its spreads")
    return rows


def read_places(card: Card) -> npt.NDArray[np.uint64]:
    """Return ``(terms,)`` uint64: bit i is set if a chunk of centroid i holds the term. Without data, all bits are set.

    Raises ValueError when the bytes are not one number per term.
    """
    terms = len(card.terms) // 4
    if not card.places:
        return np.full(terms, 2**64 - 1, np.uint64)
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(card.places, 8 * terms + 1)  # bounds the memory for hostile data
    except zlib.error as error:
        raise ValueError("its places are not compressed with zlib") from error
    if len(data) != 8 * terms:
        raise ValueError("it does not have one place per term")
    return np.frombuffer(data, "<u8")


def check_shape(manifest: Manifest, card: Card, space: Space) -> None:
    """Check that manifest, card and space can belong together. Raises ValueError with the reason."""
    if not 0 < space.dimension <= MAX_DIMENSION:
        raise ValueError(f"its space has {space.dimension} dimensions")
    if card.space != manifest.space:
        raise ValueError("it is of another space")
    if (card.documents, card.chunks) != (manifest.documents, manifest.chunks):
        raise ValueError("its numbers of documents or chunks differ from the manifest's")
    if has_repeats(manifest.shards):
        raise ValueError("its manifest names a shard twice")
    if card.chunks != sum(_live_chunks(ref, space) for ref in manifest.shards) or card.documents < 0:
        raise ValueError("its number of chunks differs from that of the manifest's shards")
    if not 0 <= card.average_length <= MAX_AVERAGE_LENGTH:
        raise ValueError(f"its average length is {card.average_length}")
    if len(read_centroids(card, space)) * 4 != len(card.weights):
        raise ValueError("it does not have one weight per centroid")
    read_df(card)
    read_spreads(card)
    read_places(card)


def _live_chunks(ref: ShardRef, space: Space) -> int:
    """Count the chunks of a shard that were not removed. Raises ValueError for numbers that no shard can have."""
    vector = space.dimension * np.dtype(VECTOR_DTYPE).itemsize
    at = removed = 0
    for dead in sorted(ref.removed, key=lambda dead: dead.start):
        if not at <= dead.start < dead.stop <= ref.count:
            raise ValueError(f"the tombstones of shard {ref.shard} overlap or lie outside it")
        at, removed = dead.stop, removed + dead.stop - dead.start
    if not 0 < ref.count * vector <= MAX_BLOCK:
        raise ValueError(f"shard {ref.shard} would hold {ref.count} chunks")
    return ref.count - removed
