"""Summary of a routing card, less than half of its size, kept for each of very many nodes.

Summaries of all cards have the same size, so that a node gains neither space nor proposals by claiming more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...index.card_format import read_places
from ...index.shard import Vectors
from ..node_view import NodeView

GROUPS = 64  # as many centroids as our cards have; those of a card that has more are merged
PLACES = np.dtype("<u8")  # a bit a group
ROUNDS = 3  # of k-means, from centroids that lie far from each other: more move nothing
READ_CENTROIDS = 256  # of a card, the heaviest: four times what ours have, and as many as are worth merging
READ_TERMS = 8192  # of a card, those in most chunks: more than ours have
MOST_CHUNKS = 1 << 16  # a node counts for no more in the network's statistics, whatever it claims
TITLE = 64  # bytes in UTF-8: what a list of nodes shows


class CardSummary(NamedTuple):
    """One node. ``g`` groups (`GROUPS` or fewer), ``n`` terms."""

    node: int
    manifest: bytes  # digest of the manifest it was made from
    sequence: int
    title: str
    documents: int
    chunks: int
    length: float  # tokens a chunk
    groups: Vectors  # (g, dimension): merged centroids, unit length
    weight: npt.NDArray[np.uint32]  # (g,): chunks behind each
    spread: npt.NDArray[np.float16]  # (g,): mean cosine of each with its chunks
    terms: npt.NDArray[np.uint32]  # (n,): hashes, sorted
    df: npt.NDArray[np.uint32]  # (n,): chunks that hold each, counted as if there were `MOST_CHUNKS` at most
    places: npt.NDArray[np.uint64]  # (n,): bit i for group i, a chunk of which holds the term


def summarize_card(view: NodeView) -> CardSummary:
    """Return the summary of a view. The view's shape has been checked (`knet.index.card_format`)."""
    card, entry = view.lexical_card, view.entry
    assert entry.head is not None
    weight = np.frombuffer(card.weights, "<u4")
    read = np.sort(np.argsort(-weight.astype(np.int64), kind="stable")[:READ_CENTROIDS])
    labels, groups = merged(view.centroids[read], weight[read])
    counts, spread = _counted(view.centroids[read], weight[read], view.spreads[read], labels, groups)
    terms, df = np.frombuffer(card.terms, "<u4"), np.frombuffer(card.df, "<u4")
    places = _regrouped(read_places(card), read, labels)
    chosen = np.arange(len(terms)) if len(terms) <= READ_TERMS else np.argpartition(-df.astype(np.int64), READ_TERMS)
    terms, first = np.unique(terms[chosen[:READ_TERMS]], return_index=True)
    chosen = chosen[first]
    share = min(1.0, MOST_CHUNKS / max(card.chunks, 1))
    return CardSummary(
        node=entry.node,
        manifest=entry.head.manifest.digest,
        sequence=entry.head.sequence,
        title=card.title,
        documents=card.documents,
        chunks=card.chunks,
        length=card.average_length,
        groups=groups,
        weight=counts,
        spread=spread,
        terms=terms,
        df=np.ceil(df[chosen] * share).astype(np.uint32),
        places=places[chosen],
    )


def merged(centroids: Vectors, weight: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.intp], Vectors]:
    """Return each centroid's group, and the groups' means ``(g, dimension)``, by weighted spherical k-means."""
    if len(centroids) <= GROUPS:
        return np.arange(len(centroids)), centroids
    middles = centroids[_far_apart(centroids, int(weight.argmax()))]
    labels = np.zeros(len(centroids), np.intp)
    for _ in range(ROUNDS):
        labels = np.asarray((centroids @ middles.T).argmax(1))
        shares = (labels == np.arange(GROUPS)[:, None]) * np.maximum(weight, 1).astype(np.float32)
        sums = shares @ centroids
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.maximum(lengths, 1e-9), middles)
    return np.asarray((centroids @ middles.T).argmax(1)), middles


def _far_apart(centroids: Vectors, first: int) -> list[int]:
    """Return `GROUPS` rows, each the farthest from those before it."""
    chosen = [first]
    nearest = centroids @ centroids[first]
    while len(chosen) < GROUPS:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, centroids @ centroids[chosen[-1]])
    return chosen


def _counted(
    centroids: Vectors,
    weight: npt.NDArray[np.uint32],
    spreads: Vectors,
    labels: npt.NDArray[np.intp],
    groups: Vectors,
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float16]]:
    """Return each group's chunks and their mean cosine with it: chunk with centroid times centroid with group."""
    count = np.bincount(labels, weight, len(groups))
    cosine = spreads * np.einsum("ij,ij->i", centroids, groups[labels])
    mean = np.bincount(labels, weight * cosine, len(groups)) / np.maximum(count, 1)
    return np.minimum(count, 2**32 - 1).astype(np.uint32), np.where(count > 0, mean, 1.0).astype(np.float16)


def _regrouped(
    places: npt.NDArray[np.uint64], read: npt.NDArray[np.intp], labels: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint64]:
    """Return bits of centroids as bits of groups. Centroid i has bit i modulo 64."""
    if len(labels) <= GROUPS and np.array_equal(read, labels):
        return places
    bits = np.zeros(64, PLACES)
    np.bitwise_or.at(bits, read % 64, np.left_shift(PLACES.type(1), labels.astype(PLACES)))
    octets = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(bool)
    result = np.zeros(len(places), PLACES)
    for number, column in enumerate(places.astype("<u8").view(np.uint8).reshape(-1, 8).T):
        table = np.bitwise_or.reduce(np.where(octets, bits[number * 8 : number * 8 + 8], 0), axis=1)
        result |= table.astype(PLACES)[column]
    return result
