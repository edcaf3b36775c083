"""The store of the user's own passage ratings: persistence and damaged files."""

from __future__ import annotations

from pathlib import Path

from knet.index.analyser import split_words
from knet.trust.feedback import PassageRatings
from knet.trust.reliability import passage_key

WRONG = "The tower is 630 metres tall."


def test_ratings_add_up_and_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ratings" / "net.json"
    first, second = PassageRatings(path), PassageRatings(path)
    first.add(WRONG, -1)
    second.add(WRONG, -1)
    second.add("Boats leave hourly.", 1)
    known = PassageRatings(path).known
    assert known[passage_key(split_words(WRONG))].negative == 2
    assert known[passage_key(split_words("boats leave HOURLY"))].positive == 1


def test_damaged_file_of_ratings_counts_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    for damage in (b"{", b'{"ratings":{"no hex":{}}}'):
        path.write_bytes(damage)
        ratings = PassageRatings(path)
        assert ratings.known == {}
        ratings.add(WRONG, 1)
        assert len(PassageRatings(path).known) == 1
