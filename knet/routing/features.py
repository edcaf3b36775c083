"""Routing features of a node for a query, and the learned linear score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .card_index import CardFeatures, Rows

FEATURES = ("topic", "joint", "both", "tail", "rare", "mass")
WEIGHTS = (2.84, 3.45, 4.92, 1.09, 3.27, 0.44)
"""Learnt on SciFact's training claims and sentences, split 50 ways by topic and at random; tested on
other collections (docs/papers.md)."""
JOINT_WEIGHT = 0.3  # of words against cosine where both are asked of one centroid
FREEDOM = 40.0  # dimensions that chunks spread over around their centroid; far fewer than a vector has
WIDTH = 0.08  # in cosine: how far below the best a centroid's chunks still count
EPSILON = 1e-9


def features(seen: CardFeatures, idf: npt.NDArray[np.float64]) -> Rows:
    """Return ``(m, len(FEATURES))``. ``idf`` is that of each term of ``seen``.

    ``topic``: the best centroid's cosine; ``joint``: the most of the question's idf that chunks around one centroid
    hold; ``both``: the best centroid by cosine and words at once; ``tail``: the best chunk's cosine as a Gaussian
    around each centroid would have it (as in Taily); ``rare``: the share of idf squared that the node holds at all;
    ``mass``: the log of how many chunks lie about as close as the nearest (as in ReDDE).
    """
    filled = seen.weight > 0
    cosine = np.where(filled, seen.cosine, -1.0)
    weights = idf / max(float(idf.sum()), EPSILON)
    held = np.einsum("mtp,t->mp", seen.place, weights)[:, np.arange(cosine.shape[1]) % seen.place.shape[2]]
    both = np.where(filled, cosine + JOINT_WEIGHT * held, -1.0)
    tail = _tail(cosine, seen)
    close = (seen.weight * np.exp(np.minimum((both - both.max(initial=-1.0)) / WIDTH, 0.0))).sum(1)
    squares = idf**2 / max(float((idf**2).sum()), EPSILON)
    return np.column_stack(
        [
            cosine.max(1, initial=-1.0),
            np.where(filled, held, 0.0).max(1, initial=0.0),
            both.max(1, initial=-1.0),
            np.where(filled, tail, -1.0).max(1, initial=-1.0),
            (seen.df > 0) @ squares,
            np.log(close + EPSILON),
        ]
    )


def _tail(cosine: Rows, seen: CardFeatures) -> Rows:
    """Return the highest cosine expected among each centroid's chunks: its mean, and the spread around it times the
    expected maximum of as many normal draws, about ``sqrt(2 ln n)``."""
    spread = np.sqrt(np.maximum(1 - seen.spread**2, 0.0) * np.maximum(1 - cosine**2, 0.0) / FREEDOM)
    return np.asarray(seen.spread * cosine + spread * np.sqrt(2 * np.log(np.maximum(seen.weight, 1.0))))


def against_best(rows: Rows) -> Rows:
    """Return each feature as its distance from the best node's, so that properties of the question drop out."""
    return rows - rows.max(0) if len(rows) else rows


def routing_scores(rows: Rows) -> Rows:
    """Return the log-odds of nodes ``(m,)``; 0 for a node that is best in every feature."""
    return np.asarray(against_best(rows) @ np.array(WEIGHTS))


def probabilities(scores: Rows) -> Rows:
    """Return the probability ``(m,)`` that the best passage is at each node; they sum to 1."""
    likely = np.exp(scores - scores.max(initial=-np.inf))
    return np.asarray(likely / max(float(likely.sum()), EPSILON))
