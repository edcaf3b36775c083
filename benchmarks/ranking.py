"""Measures of rankings, with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

RESAMPLED = 1000
CONFIDENCE = 95  # per cent
EPSILON = 1e-12


def gains_at(scores: Rows, grades: Rows, k: int) -> tuple[Rows, Rows]:
    """Return ``(n, k)``: the first ``k`` grades of each row by score, and by grade. Ties go to the first."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(grades, order, 1), -np.sort(-grades, axis=1)[:, :k]


def ndcg(scores: Rows, grades: Rows, k: int = 10) -> Rows:
    """Return ``(n,)``, with the grade itself as gain. A row without a grade above 0 counts 0."""
    found, best = gains_at(scores, grades, k)
    discounts = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    return np.asarray((found @ discounts) / np.maximum(best @ discounts, EPSILON))


def precision(scores: Rows, grades: Rows, k: int) -> Rows:
    """Return ``(n,)``, the normalised precision: the sum of the first ``k`` grades against the largest possible."""
    found, best = gains_at(scores, grades, k)
    return np.asarray(found.sum(1) / np.maximum(best.sum(1), EPSILON))


def interval(values: Rows, seed: int = 1) -> tuple[float, float]:
    """Return the bootstrap interval of a mean."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLED, len(values)))
    outside = (100 - CONFIDENCE) / 2
    low, high = np.percentile(values[drawn].mean(1), [outside, 100 - outside])
    return round(float(low), 4), round(float(high), 4)


def means(measured: Mapping[str, Rows]) -> dict[str, float]:
    """Return each measure's mean."""
    return {name: round(float(values.mean()), 4) for name, values in measured.items()}
