"""Per-question usefulness of sources, learnt from their usefulness for earlier questions.

The prediction for a source is the sum of three estimates: kernel ridge regression over its rated questions (the whole
region of questions), the mean over the nearest of them (the neighbourhood), and the similarity of the question to the
source's description (for a question unlike any before). Each is shrunk towards the source's overall usefulness, and
that towards the mean of all sources, so that one rating of a new source has little effect. On FeB4RAG the three
together rank 16 engines better than any alone (docs/papers.md).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..index.shard import Vectors

LATEST = 1000  # newest questions to fit on: fitting takes less than a second
WIDTH = 0.5  # of the kernel, in cosine: questions on one subject lie within about that
RIDGE = 0.3  # noise of one rating relative to the source's usefulness for that question
NEAREST = 15  # questions
SHRINK = 1.0  # weight of the mean of all sources, in ratings
DESCRIBED = 0.3  # weight of a standard deviation of similarity to the description, in deviations of the rest
EPSILON = 1e-9

Rows = npt.NDArray[np.float64]


class Usefulness:
    """Immutable fitted model; see `fit` and `predict`."""

    def __init__(self, vectors: Vectors, residuals: Rows, prior: Rows, descriptions: Vectors | None) -> None:
        self._vectors = vectors
        self._rated = ~np.isnan(residuals)
        self._residuals = np.where(self._rated, residuals, 0.0)
        self.prior = prior
        self._ridge = _ridge(vectors, self._residuals, self._rated)
        self._descriptions = None if descriptions is None else descriptions.T
        self._mean_similarity = np.zeros(len(prior))
        if self._descriptions is not None and len(vectors):
            self._mean_similarity = (vectors @ self._descriptions).mean(0)

    @classmethod
    def fit(cls, vectors: Vectors, outcomes: Rows, descriptions: Vectors | None = None) -> Usefulness:
        """Fit to question ``vectors (n, dimension)``, oldest first, and ``outcomes (n, sources)``.

        Outcomes share one unit and are NaN where a source was not rated. ``descriptions (sources, dimension)`` are the
        embedded descriptions of the sources, in the same space.
        """
        vectors, outcomes = vectors[-LATEST:], outcomes[-LATEST:]
        rated = ~np.isnan(outcomes)
        known = np.where(rated, outcomes, 0.0)
        general = float(known.sum() / max(rated.sum(), 1))
        prior = (known.sum(0) + SHRINK * general) / (rated.sum(0) + SHRINK)
        residuals = outcomes - prior
        return cls(vectors, residuals - _difficulty(residuals, rated)[:, None], prior, descriptions)

    def predict(self, vectors: Vectors) -> Rows:
        """Return the expected usefulness ``(questions, sources)`` in the unit of the outcomes.

        Values are comparable within a question only.
        """
        if not len(self._vectors):
            return np.tile(self.prior, (len(vectors), 1))
        learnt = _kernel(vectors, self._vectors) @ self._ridge + self._nearest_mean(vectors)
        if self._descriptions is None:
            return np.asarray(self.prior + learnt / 2)
        similarity = vectors @ self._descriptions - self._mean_similarity
        unit = max(float(learnt.std()), EPSILON) / max(float(similarity.std()), EPSILON)
        return np.asarray(self.prior + (learnt + DESCRIBED * unit * similarity) / 2)

    def _nearest_mean(self, vectors: Vectors) -> Rows:
        """Return the mean residual of the nearest questions, weighted by cosine; unrated ones count as 0."""
        cosines = vectors @ self._vectors.T
        count = min(NEAREST, len(self._vectors))
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        weights = np.maximum(np.take_along_axis(cosines, nearest, 1), EPSILON)[:, :, None]
        rated = self._rated[nearest] * weights
        mean: Rows = (rated * self._residuals[nearest]).sum(1) / np.maximum(rated.sum(1), weights.mean(1) * SHRINK)
        return mean


def _difficulty(residuals: Rows, rated: npt.NDArray[np.bool_]) -> Rows:
    """Return ``(n,)`` the residual of each question common to all sources, shrunk where few sources are rated."""
    means: Rows = np.where(rated, residuals, 0.0).sum(1) / (rated.sum(1) + SHRINK)
    return means


def _kernel(a: Vectors, b: Vectors) -> Rows:
    return np.asarray(np.exp((a @ b.T - 1.0) / WIDTH), float)


def _ridge(vectors: Vectors, residuals: Rows, rated: npt.NDArray[np.bool_]) -> Rows:
    """Return coefficients ``(n, sources)``; sources rated on the same questions are solved at once."""
    kernel = _kernel(vectors, vectors)
    result = np.zeros_like(residuals)
    for pattern in np.unique(rated, axis=1).T:
        sources = (rated == pattern[:, None]).all(0)
        rows = np.flatnonzero(pattern)
        if len(rows):
            system = kernel[np.ix_(rows, rows)] + RIDGE * np.eye(len(rows))
            result[np.ix_(rows, np.flatnonzero(sources))] = np.linalg.solve(system, residuals[np.ix_(rows, sources)])
    return result
