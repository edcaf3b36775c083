"""Training of the writer's weights (`knet.answer.selector`) from half of the articles; the others are tested."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import knet.answer.selector as selector
from benchmarks.answers.sets import QuestionSet, Sent, holds
from benchmarks.listnet import fit_listnet
from knet.answer.evidence import FOUND, SENTENCE, found_features, scored_sentences

Rows = npt.NDArray[np.float64]

FILE = Path(selector.__file__).with_name(selector.WEIGHTS)
RIDGE = 0.02  # of the sentence weights, a question
STRENGTHS = {"about": 0.03, "said": 0.015}  # of the prior at 0 on standardised columns, a question
GIVEN = {"opens": 1.5, "listed": -0.5, "short": 0.0, "new": 0.0}
"""Weights that are set by hand, since no article of the sets has headings or lists: the first sentence under a heading
that names what is asked says what it is."""
STEPS = 30
SIGNS = {
    **dict.fromkeys(
        ("apart", "sentence", "context", "passage", "top", "margin", "phrase", "agree", "choice", "exact", "window",
         "choice margin", "dense", "bm25", "focus", "pairs", "next", "leading", "its context", "its number",
         "its name", "its opens", "its score", "its lead", "its cover"), 1),
    **dict.fromkeys(
        ("missing", "rarest", "names", "numbers", "negation", "uncovered", "gravest", "no name", "no number",
         "opposite", "negated", "second", "unmatched", "its question"), -1),
}  # fmt: skip


def learn(squad: QuestionSet, squad2: QuestionSet, seed: int = 7) -> None:
    """Learn all weights and write `FILE`."""
    whole = squad.sent(squad.tested(learnt=True))
    gone = squad.half(seed)
    halved = squad.sent(squad.tested(learnt=True), squad.nodes.without(gone), gone)
    near = squad2.sent(squad2.tested(learnt=True))
    write(whole, halved, near)


def write(whole: Sequence[Sent], halved: Sequence[Sent], near: Sequence[Sent]) -> None:
    """Learn from what was sent over all passages, over half of them, and for questions that may be impossible."""
    sentence = sentence_weights([each for each in whole if each.there])
    found = {"sentence": sentence}
    for name, examples in (("about", halved), ("said", near)):
        rows, labels = found_rows(examples, sentence)
        found[name] = logistic(rows, labels, STRENGTHS[name] * len(rows))
        if name == "about":
            found["usual"] = rows[labels > 0].mean(0)
    FILE.write_text(json.dumps({name: [round(float(w), 5) for w in row] for name, row in found.items()}) + "\n")


def sentence_weights(sent: Sequence[Sent]) -> Rows:
    """Return the weights that put sentences with a gold string first."""
    lists: list[tuple[Rows, Rows]] = []
    for each in sent:
        found = scored_sentences(each.question.text, each.passages, each.statistics)
        texts = [each.passages[one.passage].text[one.unit.start : one.unit.end] for one in found]
        gains = np.array([float(holds(text, each.question.answers)) for text in texts])
        if gains.any():
            lists.append((np.array([one.features for one in found]), gains / gains.sum()))
    scale = np.concatenate([rows for rows, _ in lists]).std(0)
    scale[scale < 1e-6] = 1.0
    learnt = fit_listnet([(rows / scale, gains) for rows, gains in lists], np.zeros(len(SENTENCE)), RIDGE * len(lists))
    result = np.asarray(learnt / scale)
    for name, weight in GIVEN.items():
        result[SENTENCE.index(name)] = weight
    return result


def found_rows(sent: Sequence[Sent], sentence: Rows) -> tuple[Rows, Rows]:
    """Return the evidence of each question, and 1 where the network answers it."""
    rows, labels = [], []
    for each in sent:
        found = scored_sentences(each.question.text, each.passages, each.statistics)
        choice = [float(np.dot(one.features, sentence)) for one in found]
        rows.append(found_features(each.question.text, each.passages, each.statistics, found, choice))
        labels.append(float(each.there))
    return np.array(rows), np.array(labels)


def logistic(rows: Rows, labels: Rows, strength: float) -> Rows:
    """Return weights and constant of the largest posterior; both classes count the same.

    A column may only count in the direction of `SIGNS`: what is true of one set's articles by accident must not be
    used against its meaning on documents of another kind. Columns that would are left out, one after the other.
    """
    mean, spread = rows.mean(0), rows.std(0)
    spread[spread < 1e-6] = 1.0
    standard = (rows - mean) / spread
    signs = np.array([SIGNS.get(name, 0) for name in FOUND])
    used = signs != 0
    while True:
        weights = _newton(np.column_stack([standard[:, used], np.ones(len(rows))]), labels, strength)
        wrong = weights[:-1] * signs[used] < 0
        if not wrong.any():
            break
        worst = int(np.argmin(weights[:-1] * signs[used]))
        used[np.flatnonzero(used)[worst]] = False
    plain = np.zeros(len(FOUND))
    plain[used] = weights[:-1] / spread[used]
    return np.append(plain, weights[-1] - plain @ mean)


def _newton(columns: Rows, labels: Rows, strength: float) -> Rows:
    balance = np.where(labels > 0, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    prior = np.full(columns.shape[1], strength)
    prior[-1] = 1e-6
    weights = np.zeros(columns.shape[1])
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-columns @ weights))
        gradient = columns.T @ (balance * (labels - probability)) - prior * weights
        curvature = (columns * (balance * probability * (1 - probability))[:, None]).T @ columns + np.diag(prior)
        weights += np.linalg.solve(curvature, gradient)
    return weights
