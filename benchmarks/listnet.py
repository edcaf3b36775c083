"""Training of the weights of linear scores for fusion and routing.

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
STRENGTH = 0.01  # of the prior at the initial weights, as the curvature of so many examples


def fit_listnet(examples: Sequence[tuple[Rows, Rows]], anchor: Rows, strength: float) -> Rows:
    """Return weights ``(columns,)`` of the greatest likelihood, by Newton's method.

    An example is one list: features ``(n, columns)`` and target probabilities ``(n,)``, which sum to 1. The penalty is
    ``strength`` times half the squared distance from ``anchor``.
    """
    weights = anchor.astype(float)
    for _ in range(STEPS):
        gradient = -strength * (weights - anchor)
        hessian = (strength + EPSILON) * np.eye(len(weights))
        for features, target in examples:
            score = features @ weights
            probability = np.exp(score - score.max())
            probability /= probability.sum()
            mean = features.T @ probability
            gradient += features.T @ (target - probability)
            hessian += (features * probability[:, None]).T @ features - np.outer(mean, mean)
        step = np.linalg.solve(hessian, gradient)
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
    """Return fusion weights that rank useful candidates first; the prior at ``start`` limits the effect of few ratings.

    An example is the calibrated columns of one question's candidates and the usefulness of each (0: not useful).
    Examples without a useful candidate are ignored. All examples have the same columns.
    """
    useful = [(columns, gains / gains.sum()) for columns, gains in examples if gains.sum() > 0]
    if not useful:
        return dict(start)
    names = list(useful[0][0])
    rows = [(np.nan_to_num(np.stack([columns[name] for name in names], 1)), gains) for columns, gains in useful]
    begin = np.array([start.get(name, 0.0) for name in names])
    scale = fit_listnet([(each @ begin[:, None], gains) for each, gains in rows], np.zeros(1), 0.0)[0]
    found = np.maximum(fit_listnet(rows, scale * begin, strength * len(rows)), 0.0)
    return dict(zip(names, (found / max(float(found.sum()), EPSILON)).tolist(), strict=True))


def learn_routing_weights(
    examples: Sequence[tuple[Rows, npt.NDArray[np.float64]]],
    start: Sequence[float] = ROUTING_WEIGHTS,
    *,
    strength: float = STRENGTH,
) -> list[float]:
    """Return routing weights that rank nodes with useful passages first, with a prior at ``start``.

    An example is one question: the features ``(m, len(FEATURES))`` of the queried nodes, and the usefulness of each.
    """
    useful = [(against_best(rows), gains / gains.sum()) for rows, gains in examples if gains.sum() > 0]
    return fit_listnet(useful, np.array(start), strength * len(useful)).tolist() if useful else list(start)
