"""Tests of the training of the shipped fusion and routing weights."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.listnet import learn_routing_weights, learn_weights
from knet.routing.features import FEATURES
from knet.search.fusion import WEIGHTS, calibrated


def test_learnt_fusion_weights_follow_useful_candidates() -> None:
    rng = np.random.default_rng(3)
    examples = []
    for _ in range(200):
        columns = {"dense": calibrated(rng.normal(size=20)), "bm25": calibrated(rng.normal(size=20))}
        gains = np.zeros(20)
        gains[np.argmax(0.2 * columns["dense"] + 0.8 * columns["bm25"])] = 1.0
        examples.append((columns, gains))
    learnt = learn_weights(examples)
    assert learnt["bm25"] > 2 * learnt["dense"]
    few = learn_weights(examples[:1], strength=10.0)
    start = WEIGHTS["dense"] / (WEIGHTS["dense"] + WEIGHTS["bm25"])
    assert few["dense"] == pytest.approx(start, abs=0.1)
    assert learn_weights([]) == dict(WEIGHTS)


def test_learnt_routing_weights_follow_useful_nodes() -> None:
    rng = np.random.default_rng(5)
    examples = []
    for _ in range(100):
        rows = rng.normal(size=(10, len(FEATURES)))
        gains = np.zeros(10)
        gains[np.argmax(rows[:, 1])] = 1.0
        examples.append((rows, gains))
    learnt = learn_routing_weights(examples, [0.0] * len(FEATURES))
    assert np.argmax(learnt) == 1
