"""Weights of a linear score that puts what was of use first.

Softmax regression over lists: ListNet, Cao et al., "Learning to rank" (2007).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

STEPS = 50
LONGEST_STEP = 0.5  # of one weight: far from the best weights, Newton's steps overshoot
EPSILON = 1e-9

Rows = npt.NDArray[np.float64]


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
