"""Beliefs about sources and their effect on ranking and exploration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knet.records import Reputation
from knet.trust.reliability import (
    EVIDENCE_CAP,
    EXPLORE,
    FALLBACK_PROBABILITY,
    SourceBelief,
    bonus,
    faded,
    learning_weight,
    observed,
    optimistic_reliability,
    passage_key,
    pooled,
    reliability_gate,
    weight,
    with_exploration,
)

from .support import rated

UNKNOWN = Reputation()
outcomes = st.lists(st.floats(-1, 1), max_size=300)


@given(outcomes)
def test_any_outcomes_keep_the_posterior_within_bounds(seen: list[float]) -> None:
    known = UNKNOWN
    for outcome in seen:
        known = observed(known, outcome)
    assert 0 < known.mean < 1
    assert known.positive + known.negative <= EVIDENCE_CAP + 1e-6
    assert known.count == len(seen)


def test_reliable_source_that_turns_malicious_loses_its_reliability() -> None:
    known = UNKNOWN
    for _ in range(10_000):
        known = observed(known, 1.0)
    for _ in range(100):
        known = observed(known, -1.0)
    assert known.mean < 0.5


def test_unknown_sources_leave_relevance_unchanged() -> None:
    relevance = np.array([2.0, 1.0, -1.0])
    bounds = np.array([optimistic_reliability(UNKNOWN, UNKNOWN)] * 3)
    assert reliability_gate(relevance, bounds).tolist() == relevance.tolist()
    assert bonus(SourceBelief()) == 0
    assert weight(UNKNOWN) == 0


@given(st.floats(-3, 3), st.integers(0, 100), st.integers(0, 100))
def test_reliability_never_lifts_an_irrelevant_passage(best: float, right: int, wrong: int) -> None:
    """A trusted source's text `GATE` below the best never outranks an unknown source's best text."""
    bounds = np.array(
        [optimistic_reliability(UNKNOWN, UNKNOWN), optimistic_reliability(rated(right, wrong), rated(5, 0))]
    )
    final = reliability_gate(np.array([best, best - 1.0]), bounds)
    assert final[0] > final[1]


def test_reliable_passage_outranks_a_close_unreliable_one() -> None:
    bounds = np.array([optimistic_reliability(rated(2, 20), UNKNOWN), optimistic_reliability(rated(20, 0), UNKNOWN)])
    final = reliability_gate(np.array([1.0, 0.8]), bounds)
    assert final[1] > final[0]


def test_unreliable_but_relevant_passage_stays_first() -> None:
    """A relevant passage of a source with reliability 0.4 outranks a hardly relevant one of a reliable source."""
    bounds = np.array([optimistic_reliability(rated(40, 60), UNKNOWN), optimistic_reliability(rated(50, 0), UNKNOWN)])
    final = reliability_gate(np.array([2.0, 0.5]), bounds)
    assert final[0] > final[1]


def test_passage_below_the_fallback_probability_sinks() -> None:
    """Relevance does not help a source that was never right, or a passage that the user rated as wrong."""
    for wrong in (optimistic_reliability(rated(0, 80), UNKNOWN), optimistic_reliability(rated(20, 2), rated(0, 1))):
        assert wrong < FALLBACK_PROBABILITY
        final = reliability_gate(np.array([3.0, -1.5]), np.array([wrong, optimistic_reliability(UNKNOWN, UNKNOWN)]))
        assert final[0] < final[1]


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_higher_reliability_never_ranks_lower(one: float, other: float) -> None:
    low, high = sorted((one, other))
    final = reliability_gate(np.zeros(2), np.array([low, high]))
    assert final[0] <= final[1]


def test_rating_of_the_passage_outweighs_its_source() -> None:
    assert optimistic_reliability(rated(50, 0), rated(0, 1)) < 0.2
    assert optimistic_reliability(rated(0, 50), rated(1, 0)) > 0.8
    assert passage_key(["a", "b"]) != passage_key(["ab"])


def test_few_bad_ratings_weigh_less_than_many() -> None:
    assert optimistic_reliability(rated(0, 2), UNKNOWN) > optimistic_reliability(rated(0, 40), UNKNOWN)


def test_evidence_is_pooled_and_faded() -> None:
    assert pooled(rated(3, 1), rated(2, 2)) == rated(5, 3)
    old = faded(rated(0, 40), 0.01)
    assert old.mean == pytest.approx(0.5, abs=0.1)
    assert old.deviation > rated(0, 40).deviation
    assert learning_weight(rated(20, 0)) > learning_weight(UNKNOWN) > learning_weight(rated(0, 20)) > 0


def test_source_with_low_reliability_is_explored_and_recovers() -> None:
    """Five of six sources are asked. In Reliable-dRAG a source whose score fell is never asked again."""
    known = {node: rated(20, 1) for node in range(5)} | {5: rated(0, 30)}
    asked_it = 0
    for number in range(3000):
        order = sorted(known, key=lambda node: (-bonus(SourceBelief(reliability=known[node])), node))
        if 5 in with_exploration(order, [5, 0, 1, 2, 3, 4], 5, f"question {number}")[:5]:
            asked_it += 1
            known[5] = observed(known[5], 1.0)  # its passages are right now
        if known[5].mean > 0.9:
            break
    assert known[5].mean > 0.9
    assert 0.5 * EXPLORE * number < asked_it


@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(1, 8), st.text(max_size=20))
def test_exploration_changes_at_most_one_place(
    order: list[int], relevant: list[int], asked: int, question: str
) -> None:
    found = with_exploration(order, relevant, asked, question)
    assert sorted(found) == sorted(order)
    assert len(set(order[:asked]) - set(found[:asked])) <= 1
    assert found == with_exploration(order, relevant, asked, question)


def test_equal_orders_are_not_explored() -> None:
    for number in range(100):
        assert with_exploration([3, 1, 2], [3, 1, 2], 2, str(number)) == [3, 1, 2]
