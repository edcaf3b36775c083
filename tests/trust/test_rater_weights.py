"""Whose ratings count for me: those of people I trust in full, those of a crowd of strangers as a few."""

from __future__ import annotations

import pytest

from knet.chain.batches import Batch, Delta
from knet.codec import Cid
from knet.trust.rater_weights import STRANGERS, PersonalTrust

ME, ALICE, BOB = "0xMe", "0xAlice", "0xBob"
OWNERS = {1: ALICE, 2: BOB, 3: "0xCarol"}
NOW = 100 * 7 * 86_400


def batch(rater: str, node: int, *, up: int = 0, down: int = 0, number: int = 0, at: int = NOW) -> Batch:
    """``up`` and ``down`` are full verdicts."""
    delta = Delta(node=node, positive=100 * up, negative=100 * down, count=up + down)
    return Batch(
        rater=rater, number=number, submitted_at=at, root=b"", content=Cid.from_digest(bytes(32)), deltas=[delta]
    )


def sees(*batches: Batch) -> PersonalTrust:
    trust = PersonalTrust(ME)
    trust.update(batches, OWNERS)
    return trust


def test_whoever_trusts_nobody_goes_by_the_chain_alone() -> None:
    assert sees(batch(ALICE, 2, up=50)).reputations(NOW) == {}


def test_my_own_ratings_outweigh_any_crowd_of_strangers() -> None:
    crowd = [batch(f"0xSybil{n}", 3, up=40) for n in range(50)]
    seen = sees(batch(ME, 1, up=3), batch(ME, 3, down=12, number=1), *crowd).reputations(NOW)[3]
    assert seen.positive == pytest.approx(STRANGERS)
    assert seen.mean < 0.5, "2,000 verdicts of strangers against a dozen of mine"


def test_an_owner_i_trust_is_believed_about_others() -> None:
    mine, hers = batch(ME, 1, up=5), batch(ALICE, 2, up=30)
    stranger = batch("0xStranger", 2, down=30)
    seen = sees(mine, hers, stranger).reputations(NOW)[2]
    assert seen.positive > 2 * seen.negative
    before = sees(mine, stranger).reputations(NOW)[2]
    assert before.mean < 0.5 < seen.mean


def test_a_crowd_of_ones_own_making_makes_nobody_weigh_more() -> None:
    """Whoever I hardly trust owns two hundred nodes under as many names, and praises them all."""
    owners = {node: f"0xFriend{node}" for node in range(1, 11)} | {11: BOB}
    owners |= {node: f"0xSybil{node}" for node in range(100, 300)}
    mine = [batch(ME, node, up=10, number=node) for node in range(1, 11)] + [batch(ME, 11, up=3, number=11)]
    crowd = [batch(BOB, node, up=1, number=node) for node in range(100, 300)]
    before, after = PersonalTrust(ME), PersonalTrust(ME)
    before.update(mine, owners)
    after.update([*mine, *crowd], owners)
    assert 0.1 < before.weight(BOB) < 0.5
    assert after.weight(BOB) < 1.25 * before.weight(BOB)
    assert after.weight("0xFriend1") > 0.8


def test_ratings_fade_by_the_epoch_as_on_chain() -> None:
    old = batch(ME, 1, up=10, at=NOW - 23 * 7 * 86_400)
    assert sees(old).reputations(NOW)[1].positive == pytest.approx(5, rel=0.01)


def test_a_batch_counts_once_and_a_new_one_moves_it() -> None:
    trust = sees(batch(ME, 1, up=1))
    assert not trust.update([batch(ME, 1, up=1)], OWNERS)
    assert trust.update([batch(ME, 1, up=2, number=1)], OWNERS)
    assert trust.reputations(NOW)[1].positive == 3


def test_ratings_of_a_node_whose_owner_is_not_known_yet_wait() -> None:
    trust = PersonalTrust(ME)
    trust.update([batch(ME, 9, up=1)], OWNERS)
    assert trust.people() == []
    trust.update([], {9: BOB})
    assert [person.address for person in trust.people()] == [BOB]


def test_it_says_why() -> None:
    trust = sees(batch(ME, 1, up=5), batch(ALICE, 2, up=5))
    people = {person.address: person for person in trust.people()}
    assert people[ALICE].score > people[BOB].score
    assert people[ALICE].owns == [1]
    assert "you trust Alice, who trusts Bob" in trust.why(BOB, {ME: "you", ALICE: "Alice", BOB: "Bob"})
    assert "nobody you trust has rated" in trust.why("0xStranger")
