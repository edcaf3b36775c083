"""Fusion: the scores of several retrievers as one relevance for each candidate.

A convex combination of scores that the client computed itself, calibrated as z-scores over the candidates of all nodes
together, with weights learnt once and shipped. Rank fusion throws the margins away and can be worse than its best
member; calibration within a node would destroy the ranking across nodes (docs/papers.md).

Columns: ``dense``, the cosine of question and passage; ``bm25`` over the passage and the questions it is known to
answer; ``focus``, the most of the question's rare words that stand close together; ``phrase``, neighbouring words of
the question that are neighbours in the passage; ``dsi``, the log-likelihood that a De-DSI model gives the passage.
Reranked, for the best few alone: ``sentence``, the cosine of the question and the passage's best sentence, which
stands for ``dense``; ``rerank``, the score of a cross-encoder. A missing column leaves its share to the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..index.analyser import terms_of, tokens
from ..index.lexical import Statistics

WEIGHTS: Mapping[str, float] = {
    "dense": 0.57,
    "bm25": 0.12,
    "focus": 0.25,
    "phrase": 0.06,
    "dsi": 0.10,
    "sentence": 0.59,
    "rerank": 1.0,
}
"""The first four learnt by `learn_weights` on what docs/papers.md says. Only their ratios matter. ``dsi`` has less than
is best on honest nodes (docs/papers.md): the model that speaks of a node's passages is the node's own."""
COLUMNS = tuple(WEIGHTS)
STANDS_FOR = {"sentence": "dense"}  # the second adds nothing where the first is known
WINDOW = 24  # tokens, about a sentence; finding the sentences themselves would take fifty times as long
EPSILON = 1e-9
# Of `reconciled`, in round numbers. Measured on XQuAD: where the model knows the language, one of the two best passages
# by BM25 is 3 standard deviations above the others by cosine; where it does not, none is 1 above.
PROBED = 2  # passages: one alone may be stuffed with the question's words
AGREEING, AGREEING_WIDTH = 1.5, 0.5  # standard deviations
UNCOVERED, COVERED = 0.05, 0.2  # share of a question's idf: between languages, and within one
FEWEST = 8  # candidates: z-scores of fewer say little

Scores = npt.NDArray[np.float64]


def shares(columns: Mapping[str, Scores], weights: Mapping[str, float] = WEIGHTS) -> dict[str, Scores]:
    """Return the part that each calibrated column ``(n,)`` adds to the relevance of ``n`` candidates.

    NaN marks candidates that a retriever has no value for. A weighted mean, so the scale of the relevance does not
    depend on which columns are there.
    """
    used = {name: weights.get(name, 0.0) * ~np.isnan(values) for name, values in columns.items()}
    for fine, coarse in STANDS_FOR.items():
        if fine in columns and coarse in used:
            used[coarse] = used[coarse] * np.isnan(columns[fine])
    total = np.maximum(sum(used.values()), EPSILON)
    return {name: np.asarray(used[name] * np.nan_to_num(values) / total) for name, values in columns.items()}


def reconciled(columns: Mapping[str, Scores], covered: float, weights: Mapping[str, float]) -> Mapping[str, float]:
    """Return the weights for one question, by which of vectors and words to believe where they contradict each other.

    They contradict where the best `PROBED` passages by BM25 are not above the others by cosine: the model does not
    know the language, or the words of the question are not those of the passages. ``covered`` decides between the two:
    it is the `coverage` of the question, near 0 where question and passages have different languages.
    """
    if not columns.keys() >= {"dense", "bm25"} or len(columns["dense"]) < FEWEST:
        return weights
    best = np.argsort(-columns["bm25"], kind="stable")[:PROBED]
    contradiction = 1 / (1 + np.exp(float(columns["dense"][best].max() - AGREEING) / AGREEING_WIDTH))
    words = float(np.clip((covered - UNCOVERED) / (COVERED - UNCOVERED), 0, 1))
    factors = dict.fromkeys(("dense", "sentence"), 1 - contradiction * words)
    factors |= dict.fromkeys(("bm25", "focus", "phrase"), 1 - contradiction * (1 - words))
    return {name: weight * factors.get(name, 1.0) for name, weight in weights.items()}


def coverage(question: str, focus: Scores, statistics: Statistics) -> float:
    """Return the most of the question's idf that stands close together in one passage, 0 to 1."""
    total = sum(statistics.idf(each) for each in set(tokens(question)))
    return float(focus.max(initial=0.0)) / total if total else 0.0


def relevance_of(parts: Mapping[str, Scores]) -> Scores:
    """Return the relevance ``(n,)``: the sum of `shares`."""
    return np.asarray(np.sum(list(parts.values()), axis=0))


def calibrated(values: Scores) -> Scores:
    """Return z-scores over the candidates that have a value; NaN stays."""
    there = values[~np.isnan(values)]
    spread = float(there.std()) if len(there) else 0.0
    return (values - there.mean()) / spread if spread > EPSILON else np.where(np.isnan(values), values, 0.0)


def matched(values: Scores, like: Scores) -> Scores:
    """Return ``values``, which only some candidates have, with the mean and spread of ``like`` over the same ones.

    Reranked, the best few change places among themselves, and keep theirs against the rest.
    """
    there = ~np.isnan(values)
    if not there.any():
        return values
    return calibrated(values) * float(like[there].std()) + float(like[there].mean())


# --- words -------------------------------------------------------------------------------------------------------


def lexical_columns(
    question: str, words: Sequence[Sequence[str]], statistics: Statistics, known: Sequence[Sequence[str]] = ()
) -> dict[str, Scores]:
    """Return ``bm25``, ``focus`` and ``phrase`` of passages.

    ``words`` are those of their texts; ``known`` those of questions that each is known to answer.
    """
    asked, words, known = tokens(question), [terms_of(each) for each in words], [terms_of(each) for each in known]
    weights = {term: statistics.idf(term) for term in asked}
    pairs = {pair: min(weights[pair[0]], weights[pair[1]]) for pair in pairwise(asked)}
    further = known if any(known) else [()] * len(words)
    return {
        "bm25": np.array(
            [statistics.score(weights, [*own, *more], len(own)) for own, more in zip(words, further, strict=True)]
        ),
        "focus": np.array([_focus(weights, each) for each in words]),
        "phrase": np.array([_phrase(pairs, each) for each in words]),
    }


def _focus(weights: Mapping[str, float], words: Sequence[str]) -> float:
    """Return the largest sum of the weights of different words within `WINDOW` tokens."""
    places = [(at, word) for at, word in enumerate(words) if word in weights]
    inside: dict[str, int] = {}  # word -> where it was seen last
    best = 0.0
    for at, word in places:
        inside[word] = at
        total = sum(weights[each] for each, seen in inside.items() if at - seen < WINDOW)
        best = max(best, total)
    return best


def _phrase(pairs: Mapping[tuple[str, str], float], words: Sequence[str]) -> float:
    return sum(pairs[pair] for pair in pairs.keys() & set(pairwise(words)))
