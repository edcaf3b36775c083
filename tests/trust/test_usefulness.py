"""Per-question usefulness: subjects, missing outcomes, descriptions and shrinkage."""

from __future__ import annotations

import numpy as np

from knet.trust.usefulness import Usefulness

SUBJECTS = np.linalg.qr(np.random.default_rng(2).normal(size=(32, 3)))[0].T.astype(np.float32)


def questions(count: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors near three subjects, and the subject of each."""
    about = np.arange(count) % 3
    rows = SUBJECTS[about] + 0.1 * np.random.default_rng(seed).normal(size=(count, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), about


def test_prediction_finds_the_source_of_each_subject() -> None:
    known, about = questions(30)
    asked, expected = questions(30, seed=4)
    learnt = Usefulness.fit(known, np.eye(3)[about])
    assert learnt.predict(asked).argmax(1).tolist() == expected.tolist()


def test_missing_outcomes_are_ignored() -> None:
    known, about = questions(60)
    outcomes = np.eye(3)[about]
    outcomes[np.random.default_rng(5).random(outcomes.shape) < 0.5] = np.nan
    asked, expected = questions(30, seed=4)
    found = Usefulness.fit(known, outcomes).predict(asked).argmax(1)
    assert (found == expected).mean() > 0.9


def test_new_kind_of_question_is_predicted_from_descriptions() -> None:
    known, about = questions(40)
    only_first = about == 0
    outcomes = np.tile([0.5, 0.45, 0.45], (int(only_first.sum()), 1))
    learnt = Usefulness.fit(known[only_first], outcomes, SUBJECTS)
    scores = learnt.predict(SUBJECTS[1:2])[0]
    assert scores[1] > scores[2]


def test_one_rating_of_a_new_source_counts_less_than_many() -> None:
    known, _ = questions(20)
    outcomes = np.full((20, 2), np.nan)
    outcomes[:, 0] = 0.5
    outcomes[0, 1] = 1.0
    few = Usefulness.fit(known, outcomes).prior[1]
    outcomes[:, 1] = 1.0
    assert few < Usefulness.fit(known, outcomes).prior[1]


def test_usefulness_without_data_predicts_zero() -> None:
    empty = Usefulness.fit(np.zeros((0, 32), np.float32), np.zeros((0, 3)), SUBJECTS)
    assert empty.predict(SUBJECTS).tolist() == [[0.0] * 3] * 3
