"""Weights of a linear score that puts what was of use first.

Softmax regression over lists: ListNet, Cao et al., "Learning to rank" (2007).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from knet.routing.card_index import Rows
from knet.routing.features import WEIGHTS as ROUTING_WEIGHTS
from knet.routing.features import against_best
from knet.search.fusion import WEIGHTS as FUSION_WEIGHTS
from knet.search.fusion import Scores

STEPS = 50
LONGEST_STEP = 0.5  # of one weight: far from the best weights, Newton's steps overshoot
EPSILON = 1e-9
STRENGTH = 0.01  # how hard learnt weights hold on to those they begin with, in examples' worth of curvature


def fitted(examples: Sequence[tuple[Rows, Rows]], anchor: Rows, strength: float) -> Rows:
    """Weights ``(columns,)`` that make the wanted shares likeliest, by Newton's method.

    An example is one list: features ``(n, columns)`` and the wanted share ``(n,)`` of each, summing to 1. ``strength``
    times half the squared distance from ``anchor`` counts against a solution.
    """
    weights = anchor.astype(float)
    for _ in range(STEPS):
        slope = -strength * (weights - anchor)
        curve = (strength + EPSILON) * np.eye(len(weights))
        for features, wanted in examples:
            score = features @ weights
            likely = np.exp(score - score.max())
            likely /= likely.sum()
            mean = features.T @ likely
            slope += features.T @ (wanted - likely)
            curve += (features * likely[:, None]).T @ features - np.outer(mean, mean)
        step = np.linalg.solve(curve, slope)
        weights += step * min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), EPSILON))
        if np.abs(step).max() < 1e-5:
            break
    return weights


def learn_weights(
    examples: Sequence[tuple[Mapping[str, Scores], Scores]],
    start: Mapping[str, float] = FUSION_WEIGHTS,
    *,
    strength: float = STRENGTH,
) -> dict[str, float]:
    """Weights under which what was of use comes first, held to ``start`` so that a handful of ratings moves little.

    An example is the calibrated columns of one question's candidates and how useful each was (0: not); examples
    without a useful candidate say nothing. All examples have the same columns.
    """
    useful = [(columns, gains / gains.sum()) for columns, gains in examples if gains.sum() > 0]
    if not useful:
        return dict(start)
    names = list(useful[0][0])
    rows = [(np.nan_to_num(np.stack([columns[name] for name in names], 1)), gains) for columns, gains in useful]
    begin = np.array([start.get(name, 0.0) for name in names])
    scale = fitted([(each @ begin[:, None], gains) for each, gains in rows], np.zeros(1), 0.0)[0]
    found = np.maximum(fitted(rows, scale * begin, strength * len(rows)), 0.0)
    return dict(zip(names, (found / max(float(found.sum()), EPSILON)).tolist(), strict=True))


def learn_promise(
    examples: Sequence[tuple[Rows, npt.NDArray[np.float64]]],
    start: Sequence[float] = ROUTING_WEIGHTS,
    *,
    strength: float = STRENGTH,
) -> list[float]:
    """Weights under which `chances` make likely where what was of use came from, held to ``start``.

    An example is one question: the features ``(m, len(FEATURES))`` of the nodes asked, and how much of use each had.
    """
    useful = [(against_best(rows), gains / gains.sum()) for rows, gains in examples if gains.sum() > 0]
    return fitted(useful, np.array(start), strength * len(useful)).tolist() if useful else list(start)
