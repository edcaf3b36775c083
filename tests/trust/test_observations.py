"""The observation log: persistence, histories, bounds and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knet.codec import Cid
from knet.errors import StoreError
from knet.trust import observations as memory
from knet.trust.observations import ObservationLog, Outcome


def used(node: int, outcome: float) -> Outcome:
    return Outcome(node=node, kind="usefulness", outcome=outcome)


def test_outcomes_survive_a_restart_with_their_kind(tmp_path: Path) -> None:
    first = ObservationLog(tmp_path / "learnt" / "net.db")
    first.add([used(1, 1.0), used(2, -1.0), Outcome(node=1, kind="reliability", outcome=-1.0, weight=0.5)])
    again = ObservationLog(tmp_path / "learnt" / "net.db").known
    assert again == first.known
    assert again[1].usefulness.mean == pytest.approx(2 / 3)
    assert again[2].usefulness.mean == pytest.approx(1 / 3)
    assert again[1].reliability.negative == pytest.approx(0.5)


def test_node_number_of_256_bits_is_stored(tmp_path: Path) -> None:
    """ERC-721 ids have 256 bits, and SQLite's integers 64."""
    ObservationLog(tmp_path / "net.db").add([used(2**200, 1.0)])
    assert set(ObservationLog(tmp_path / "net.db").known) == {2**200}


def test_history_ends_with_the_current_belief(tmp_path: Path) -> None:
    kept = ObservationLog(tmp_path / "net.db")
    kept.add([used(1, 1.0), used(1, -1.0), used(1, 1.0), used(2, 1.0)])
    points = kept.over_time("usefulness")
    assert len(points[1]) == 3
    assert points[1][-1][1] == kept.known[1].usefulness
    assert kept.over_time("reliability") == {}


def test_pruned_log_stays_bounded_with_the_same_belief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PRUNE_EVERY", 1)
    kept = ObservationLog(tmp_path / "net.db")
    for _ in range(3):
        kept.add([used(1, -1.0)] * memory.KEPT_OUTCOMES)
    kept.add([used(2, 1.0)])
    again = ObservationLog(tmp_path / "net.db")
    assert len(again.over_time("usefulness")[1]) == memory.KEPT_OUTCOMES
    assert len(again.over_time("usefulness")[2]) == 1
    assert again.known[1].usefulness.mean == pytest.approx(kept.known[1].usefulness.mean, abs=0.01)


def test_questions_are_stored_by_space_and_the_oldest_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LATEST", 3)
    kept, space, other = ObservationLog(tmp_path / "net.db"), Cid.of(b"space"), Cid.of(b"other space")
    for number in range(5):
        kept.add_question(space, np.full(4, number, np.float32), {2**200: 1.0, number: -1.0})
    kept.add_question(other, np.ones(2, np.float32), {1: 1.0})
    vectors, outcomes = ObservationLog(tmp_path / "net.db").questions(space)
    assert vectors[:, 0].tolist() == [2, 3, 4]
    assert outcomes == [{2**200: 1.0, number: -1.0} for number in (2, 3, 4)]
    assert kept.questions(other)[1] == [{1: 1.0}]
    assert len(kept.questions(Cid.of(b"nothing"))[0]) == 0


def test_damaged_database_is_named_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "net.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"net\.db.*move the file away"):
        ObservationLog(tmp_path / "net.db")
