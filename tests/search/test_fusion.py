"""Fusion of several retrievers' scores into one relevance."""

from __future__ import annotations

import numpy as np
import pytest

from knet.index.analyser import split_words, tokens
from knet.index.lexical import Statistics
from knet.search.fusion import (
    WEIGHTS,
    calibrated,
    coverage,
    lexical_columns,
    matched,
    reconciled,
    relevance_of,
    shares,
)

NAN = float("nan")
STATISTICS = Statistics(100, 8.0, {"the": 90, "comet": 3, "tail": 5, "blue": 9})


def test_feature_shares_sum_to_the_relevance() -> None:
    columns = {"dense": np.array([1.0, -1.0]), "bm25": np.array([0.5, -0.5])}
    parts = shares(columns)
    total = WEIGHTS["dense"] + WEIGHTS["bm25"]
    assert relevance_of(parts)[0] == pytest.approx((WEIGHTS["dense"] + WEIGHTS["bm25"] * 0.5) / total)


def test_missing_feature_leaves_its_share_to_the_others() -> None:
    dense = np.array([1.0, 0.0, -1.0])
    alone = relevance_of(shares({"dense": dense}))
    beside = relevance_of(shares({"dense": dense, "dsi": np.full(3, NAN)}))
    assert np.allclose(alone, beside)


def test_sentence_score_replaces_the_passage_score() -> None:
    parts = shares({"dense": np.array([1.0, 1.0]), "sentence": np.array([2.0, NAN])})
    assert parts["dense"].tolist() == [0.0, 1.0]
    assert parts["sentence"].tolist() == [2.0, 0.0]


def test_reranking_changes_the_order_only_among_reranked_passages() -> None:
    coarse = np.array([3.0, 2.0, 0.0, -1.0])
    found = matched(np.array([0.1, 0.9, NAN, NAN]), coarse)
    assert found[1] > found[0] > coarse[2]
    assert np.isnan(found[2:]).all()


def test_calibration_ignores_scale_and_missing_values() -> None:
    values = np.array([1.0, 2.0, NAN, 4.0])
    assert np.allclose(calibrated(values), calibrated(100 * values + 7), equal_nan=True)
    assert calibrated(np.array([5.0, 5.0])).tolist() == [0.0, 0.0]


def test_close_and_ordered_terms_score_higher() -> None:
    texts = [
        "The blue comet tail",
        "tail of the comet, blue",
        "blue " + "filler " * 40 + "comet " + "filler " * 40 + "tail",
    ]
    columns = lexical_columns("the blue comet tail", [tokens(text) for text in texts], STATISTICS)
    assert columns["focus"][0] == pytest.approx(columns["focus"][1])
    assert columns["focus"][1] > columns["focus"][2]
    assert columns["phrase"][0] > columns["phrase"][1]


def test_known_question_counts_as_text_of_the_passage() -> None:
    words = [tokens("A body of ice and dust."), tokens("A body of rock.")]
    before = lexical_columns("blue comet", words, STATISTICS)["bm25"]
    after = lexical_columns("blue comet", words, STATISTICS, [tokens("What is a comet?"), []])["bm25"]
    assert before.tolist() == [0.0, 0.0]
    assert after[0] > after[1] == 0.0


def contradicting(lexical_best: float) -> dict[str, np.ndarray]:
    """Return columns whose best passages by BM25 have the given cosine, of ten passages."""
    dense = np.array([lexical_best, lexical_best, *np.linspace(0, 1, 7), 4.0])
    bm25 = np.array([5.0, 4.0, *np.linspace(0, 1, 8)])
    return {"dense": calibrated(dense), "bm25": calibrated(bm25)}


def test_words_count_more_where_vectors_do_not_know_the_language() -> None:
    weights = reconciled(contradicting(-1.0), 0.5, WEIGHTS)
    assert weights["dense"] < 0.1 * WEIGHTS["dense"]
    assert weights["focus"] == pytest.approx(WEIGHTS["focus"])


def test_words_that_cover_little_of_the_question_do_not_outvote_vectors() -> None:
    weights = reconciled(contradicting(-1.0), 0.02, WEIGHTS)
    assert weights["focus"] < 0.1 * WEIGHTS["focus"]
    assert weights["dense"] == pytest.approx(WEIGHTS["dense"])


def test_weights_stay_where_vectors_and_words_agree() -> None:
    weights = reconciled(contradicting(9.0), 0.5, WEIGHTS)
    assert all(weights[name] == pytest.approx(WEIGHTS[name], rel=0.5) for name in WEIGHTS)
    few = {name: values[:7] for name, values in contradicting(-1.0).items()}
    assert reconciled(few, 0.5, WEIGHTS) == WEIGHTS


def test_coverage_is_the_share_of_the_questions_words_close_together() -> None:
    focus = lexical_columns("blue comet tail", [split_words("a blue comet")], STATISTICS)["focus"]
    assert 0 < coverage("blue comet tail", focus, STATISTICS) < 1
    assert coverage("", np.zeros(0), STATISTICS) == 0
