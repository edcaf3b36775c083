"""MeritRank: transitive trust, bounded gain of sybils, incremental updates."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knet.trust.meritrank import TrustWalks

Ratings = list[tuple[str, str, float]]


def honest(seed: int = 0, count: int = 30) -> Ratings:
    rng = random.Random(seed)
    names = [f"h{number}" for number in range(count)]
    return [
        (rater, rated, 1.0)
        for rater in ["me", *names]
        for rated in rng.sample([name for name in names if name != rater], 6)
    ]


@pytest.mark.parametrize("closed", [False, True], ids=["path", "cycle"])
def test_fifty_sybils_gain_little_score(closed: bool) -> None:
    names = ["h0", *(f"s{number}" for number in range(50))]
    edges = [*pairwise(names), *([(names[-1], names[0])] if closed else [])]
    attack = [(rater, rated, 100.0) for rater, rated in edges]
    scores = TrustWalks("me", [*honest(), *attack], alpha=0.01, walks=500).scores()
    sybils = sum(score for name, score in scores.items() if name.startswith("s"))
    assert sybils < 0.15 * sum(score for name, score in scores.items() if name.startswith("h"))


def test_self_rating_and_ratings_of_strangers_add_nothing() -> None:
    before = TrustWalks("me", honest()).scores()
    after = TrustWalks("me", [*honest(), ("h0", "h0", 1e9), ("stranger", "h0", 1e9)]).scores()
    assert after["h0"] == before["h0"]


def test_negatively_rated_node_is_not_followed() -> None:
    trust = TrustWalks("me", [("me", "a", 1.0), ("me", "b", 1.0), ("b", "c", 1.0), ("me", "b", -2.0)])
    assert set(trust.scores()) == {"a"}


def test_new_rating_redoes_only_walks_through_its_rater() -> None:
    trust = TrustWalks("me", [("me", "a", 1.0), ("me", "b", 1.0), ("me", "c", 1.0)], walks=900)
    before, walks = trust.scores(), trust._walks.copy()
    trust.rate("a", "d", 1.0)
    others = ~(walks == trust._ids["a"]).any(axis=1)
    assert 500 < others.sum() < 900, "a third of the walks pass a"
    assert (trust._walks[others] == walks[others]).all()
    after = trust.scores()
    assert set(after) == {"a", "b", "c", "d"}
    assert after["b"] / after["c"] == pytest.approx(before["b"] / before["c"])
    walks = trust._walks.copy()
    trust.rate("stranger", "a", 1.0)
    assert (trust._walks == walks).all()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 100))
def test_updated_walks_agree_with_new_walks(seed: int) -> None:
    ratings = honest(seed, 8)
    updated = TrustWalks("me", ratings[:-10], seed=seed, beta=0)
    for rating in ratings[-10:]:
        updated.rate(*rating)
    new = TrustWalks("me", ratings, seed=seed + 1, beta=0).scores()
    for name, score in updated.scores().items():
        assert score == pytest.approx(new.get(name, 0), abs=0.04)


def test_trust_explanation_names_path_and_introducer() -> None:
    trust = TrustWalks("me", [("me", "anna", 1.0), ("anna", "bob", 1.0), ("me", "carl", 1.0), ("carl", "dora", 1.0),
                              ("anna", "dora", 1.0)])  # fmt: skip
    bob = trust.explain("bob")
    assert bob.path == ("me", "anna", "bob")
    assert bob.introducer == "anna"
    assert str(bob).startswith("you trust anna, who trusts bob (score")
    assert "through anna" in str(bob)
    assert trust.explain("dora").introducer is None
    assert str(trust.explain("zoe")) == "no account that you trust has rated zoe."


def test_walks_without_ratings_have_no_scores() -> None:
    assert TrustWalks("me").scores() == {}
