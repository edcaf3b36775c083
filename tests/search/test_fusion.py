"""Fusion of several retrievers' scores into one relevance."""

from __future__ import annotations

import numpy as np
import pytest

from knet.index.analyser import tokens
from knet.index.lexical import Statistics
from knet.search.fusion import WEIGHTS, calibrated, lexical_columns, matched, relevance_of, shares

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
