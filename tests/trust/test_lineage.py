"""A badly rated node that registers again is recognised, and no other node is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knet.trust.lineage import Identity, Lineage

RANDOM = np.random.default_rng(5)


def vocabulary(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.unique(RANDOM.integers(0, 2**32, count, dtype=np.uint32))


def identity(node: int, terms: np.ndarray, owner: str = "", host: str = "") -> Identity:  # type: ignore[type-arg]
    return Identity(node=node, owner=owner or f"0xOwner{node}", host=host or f"host{node}", terms=terms.tobytes())


BAD = vocabulary(3000)
SHORT = {7: 4.0}


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    found = Lineage(tmp_path / "lineage.db")
    found.observe([identity(7, BAD, "0xBad", "bad.example")])
    return found


@pytest.mark.parametrize(
    ("again", "why"),
    [
        (identity(9, vocabulary(3000), owner="0xBad"), "the same owner"),
        (identity(9, vocabulary(3000), host="bad.example"), "the same host"),
        (identity(9, BAD), "the same documents"),
        (identity(9, np.unique(np.concatenate([BAD[50:], vocabulary(300)]))), "every document touched"),
        (identity(9, np.unique(np.concatenate([BAD, vocabulary(12_000)]))), "padded with four times as much"),
    ],
)
def test_badly_rated_node_is_recognised_under_a_new_identity(lineage: Lineage, again: Identity, why: str) -> None:
    """Threat model: node, a new identity."""
    assert lineage.inherited([again], SHORT) == {9: 4.0}, why


def test_other_nodes_inherit_nothing(lineage: Lineage) -> None:
    half = np.unique(np.concatenate([BAD[:1500], vocabulary(1500)]))
    others = [
        identity(9, half),
        identity(10, np.unique(np.concatenate([BAD, vocabulary(60_000)]))),
        identity(11, vocabulary(40)),
        Identity(node=12, owner="", host="", terms=b""),
    ]
    assert lineage.inherited(others, SHORT) == {}
    assert lineage.inherited([identity(9, BAD)], {}) == {}, "the earlier one is in good standing"


def test_earlier_node_does_not_inherit_from_a_later_copy(lineage: Lineage) -> None:
    """Threat model: node, a copy of a rival's documents that it has rated badly."""
    assert lineage.inherited([identity(3, BAD)], SHORT) == {}


def test_unobserved_identity_blames_no_other(tmp_path: Path) -> None:
    """Threat model: node, an endpoint or owner that it takes from a rival: it never answered with a receipt there."""
    fresh = Lineage(tmp_path / "fresh.db")
    assert fresh.inherited([identity(9, BAD, owner="0xBad")], SHORT) == {}


def test_lineage_survives_a_restart(lineage: Lineage, tmp_path: Path) -> None:
    again = Lineage(tmp_path / "lineage.db")
    assert again.inherited([identity(9, BAD)], SHORT) == {9: 4.0}
