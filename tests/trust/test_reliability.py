"""Names are earned, lost and regained; relevance comes first."""

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
    observed,
    open_weight,
    optimistic_reliability,
    passage_key,
    pooled,
    reliability_gate,
    weight,
    with_exploration,
)

from .support import rated

NOBODY = Reputation()
outcomes = st.lists(st.floats(-1, 1), max_size=300)


@given(outcomes)
def test_a_belief_stays_a_belief(seen: list[float]) -> None:
    known = NOBODY
    for outcome in seen:
        known = observed(known, outcome)
    assert 0 < known.mean < 1
    assert known.positive + known.negative <= EVIDENCE_CAP + 1e-6
    assert known.count == len(seen)


def test_an_old_name_does_not_protect_who_turns() -> None:
    known = NOBODY
    for _ in range(10_000):
        known = observed(known, 1.0)
    for _ in range(100):
        known = observed(known, -1.0)
    assert known.mean < 0.5


def test_nobody_known_changes_nothing() -> None:
    relevance = np.array([2.0, 1.0, -1.0])
    hopes = np.array([optimistic_reliability(NOBODY, NOBODY)] * 3)
    assert reliability_gate(relevance, hopes).tolist() == relevance.tolist()
    assert bonus(SourceBelief()) == 0
    assert weight(NOBODY) == 0


@given(st.floats(-3, 3), st.integers(0, 100), st.integers(0, 100))
def test_no_name_lifts_what_is_not_about_the_question(best: float, right: int, wrong: int) -> None:
    """A trusted source's text a gate below the best never wins over an unknown source's best."""
    hopes = np.array([optimistic_reliability(NOBODY, NOBODY), optimistic_reliability(rated(right, wrong), rated(5, 0))])
    final = reliability_gate(np.array([best, best - 1.0]), hopes)
    assert final[0] > final[1]


def test_among_passages_that_compete_the_reliable_one_wins() -> None:
    hopes = np.array([optimistic_reliability(rated(2, 20), NOBODY), optimistic_reliability(rated(20, 0), NOBODY)])
    final = reliability_gate(np.array([1.0, 0.8]), hopes)
    assert final[1] > final[0]


def test_doubt_does_not_hide_the_one_passage_that_answers() -> None:
    """A source that is right twice in five is still more use than whatever comes next, which hardly answers at all."""
    hopes = np.array([optimistic_reliability(rated(40, 60), NOBODY), optimistic_reliability(rated(50, 0), NOBODY)])
    final = reliability_gate(np.array([2.0, 0.5]), hopes)
    assert final[0] > final[1]


def test_what_is_less_likely_right_than_what_comes_next_sinks_below_it() -> None:
    """However closely it answers: a source that was never right, or a passage that one found wrong oneself."""
    for wrong in (optimistic_reliability(rated(0, 80), NOBODY), optimistic_reliability(rated(20, 2), rated(0, 1))):
        assert wrong < FALLBACK_PROBABILITY
        final = reliability_gate(np.array([3.0, -1.5]), np.array([wrong, optimistic_reliability(NOBODY, NOBODY)]))
        assert final[0] < final[1]


@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_more_hope_never_ranks_lower(one: float, other: float) -> None:
    low, high = sorted((one, other))
    final = reliability_gate(np.zeros(2), np.array([low, high]))
    assert final[0] <= final[1]


def test_a_verdict_on_the_very_passage_says_more_than_its_source() -> None:
    assert optimistic_reliability(rated(50, 0), rated(0, 1)) < 0.2
    assert optimistic_reliability(rated(0, 50), rated(1, 0)) > 0.8
    assert passage_key(["a", "b"]) != passage_key(["ab"])


def test_little_evidence_against_weighs_less_than_much() -> None:
    assert optimistic_reliability(rated(0, 2), NOBODY) > optimistic_reliability(rated(0, 40), NOBODY)


def test_evidence_pools_and_fades() -> None:
    assert pooled(rated(3, 1), rated(2, 2)) == rated(5, 3)
    old = faded(rated(0, 40), 0.01)
    assert old.mean == pytest.approx(0.5, abs=0.1)
    assert old.deviation > rated(0, 40).deviation
    assert open_weight(rated(20, 0)) > open_weight(NOBODY) > open_weight(rated(0, 20)) > 0


def test_a_source_with_a_bad_name_is_still_asked_now_and_then_and_recovers() -> None:
    """The negative spiral of Reliable-dRAG: a source that fell is never asked again. Six sources, five are asked."""
    standing = {node: rated(20, 1) for node in range(5)} | {5: rated(0, 30)}
    asked_it = 0
    for number in range(3000):
        order = sorted(standing, key=lambda node: (-bonus(SourceBelief(reliability=standing[node])), node))
        if 5 in with_exploration(order, [5, 0, 1, 2, 3, 4], 5, f"question {number}")[:5]:
            asked_it += 1
            standing[5] = observed(standing[5], 1.0)  # it is right now, and found right
        if standing[5].mean > 0.9:
            break
    assert standing[5].mean > 0.9
    assert 0.5 * EXPLORE * number < asked_it


@given(st.permutations(range(8)), st.permutations(range(8)), st.integers(1, 8), st.text(max_size=20))
def test_exploration_changes_one_place_at_most(
    order: list[int], relevant: list[int], asked: int, question: str
) -> None:
    found = with_exploration(order, relevant, asked, question)
    assert sorted(found) == sorted(order)
    assert len(set(order[:asked]) - set(found[:asked])) <= 1
    assert found == with_exploration(order, relevant, asked, question)


def test_where_standing_keeps_nobody_out_nothing_is_explored() -> None:
    for number in range(100):
        assert with_exploration([3, 1, 2], [3, 1, 2], 2, str(number)) == [3, 1, 2]
