"""Card index: the routing cards of all nodes side by side, compared with a question at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..codec import Cid
from ..index.card_format import read_places
from ..index.shard import Vectors
from .node_view import NodeView

PLACES = 64  # centroids that a card's places can tell apart; centroid i has bit i modulo this
KEPT_INDEXES = 4  # one for all nodes, and some for questions restricted to few

SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")

Rows = npt.NDArray[np.float64]


class CardFeatures(NamedTuple):
    """Features of the cards for one question. ``m`` nodes, ``c`` centroids (the most any of them has), ``t`` terms."""

    cosine: Rows  # (m, c): the question with each centroid, in the scale of the commonest space; -1 where there is none
    spread: Rows  # (m, c): mean cosine of each centroid with its chunks
    weight: Rows  # (m, c): chunks behind each centroid; 0 where there is none
    df: Rows  # (m, t): chunks that hold each term
    place: npt.NDArray[np.bool_]  # (m, t, p): True if a chunk of the centroid holds it; centroid i has place i modulo p
    chunks: Rows  # (m,)


class CardIndex:
    """Stacked cards of ``views``. Immutable; other views need another index."""

    def __init__(self, views: Sequence[NodeView]) -> None:
        self.views = views
        counts = [len(view.centroids) for view in views]
        shape = (len(views), max(counts, default=0))
        self._filled = np.arange(shape[1]) < np.array(counts, int).reshape(-1, 1)
        self._spread = np.ones(shape)
        self._weight = np.zeros(shape)
        if views:
            self._spread[self._filled] = np.concatenate([view.spreads for view in views])
            self._weight[self._filled] = np.concatenate([np.frombuffer(view.card.weights, "<u4") for view in views])
        self._chunks = np.array([view.card.chunks for view in views], float)
        self._spaces: dict[Cid, tuple[npt.NDArray[np.intp], Vectors]] = {}
        for space in {view.card.space for view in views}:
            rows = [number for number, view in enumerate(views) if view.card.space == space]
            self._spaces[space] = np.array(rows), np.concatenate([views[row].centroids for row in rows])
        self._invert(views)

    def _invert(self, views: Sequence[NodeView]) -> None:
        """Invert the cards' terms: one run of each array a term, found by bisection."""
        terms = [np.frombuffer(view.lexical_card.terms, "<u4") for view in views]
        every = np.concatenate([np.zeros(0, np.uint32), *terms])
        order = np.argsort(every, kind="stable")
        self._terms = every[order]
        self._holder = np.repeat(np.arange(len(views)), [len(each) for each in terms])[order]
        df = [np.frombuffer(view.lexical_card.df, "<u4") for view in views]
        self._df = np.concatenate([np.zeros(0, np.uint32), *df])[order]
        self._places = np.concatenate([np.zeros(0, np.uint64), *(read_places(view.lexical_card) for view in views)])[
            order
        ]

    def card_features(self, terms: Sequence[int], vectors: Mapping[Cid, Vectors]) -> CardFeatures:
        """Return the cards' features. ``terms`` are hashes; ``vectors`` the question ``(dimension,)`` in each space."""
        df = np.zeros((len(self.views), len(terms)))
        place = np.zeros(df.shape, "<u8")
        for number, term in enumerate(terms):
            run = slice(*(int(np.searchsorted(self._terms, np.uint32(term), side)) for side in SIDES))
            df[self._holder[run], number] = self._df[run]
            place[self._holder[run], number] = self._places[run]
        bits = np.unpackbits(place.view(np.uint8).reshape(*df.shape, 8), axis=2, bitorder="little")
        return CardFeatures(self._cosines(vectors), self._spread, self._weight, df, bits.astype(bool), self._chunks)

    def _cosines(self, vectors: Mapping[Cid, Vectors]) -> Rows:
        result = np.full(self._filled.shape, -1.0)
        scale: tuple[float, float] | None = None
        for space, (rows, centroids) in sorted(self._spaces.items(), key=lambda item: -len(item[1][1])):
            if space not in vectors:
                continue
            cosines = np.einsum("ij,j->i", centroids, vectors[space]).astype(
                float
            )  # BLAS's threads would wait by spinning
            mean, deviation = float(cosines.mean()), float(cosines.std())
            if scale is None:
                scale = mean, deviation
            elif deviation > 0:  # another space: scaled to the commonest one
                cosines = scale[0] + (cosines - mean) * scale[1] / deviation
            filled = np.zeros_like(self._filled)
            filled[rows] = self._filled[rows]
            result[filled] = cosines
        return result


@lru_cache(KEPT_INDEXES)
def card_index(views: tuple[NodeView, ...]) -> CardIndex:
    """Return the index over these views, built once."""
    return CardIndex(views)
