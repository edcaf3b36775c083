"""Weights of raters: trusted accounts count in full, all strangers together as a few ratings."""

from __future__ import annotations

import pytest

from knet.chain.batches import Batch, Delta
from knet.codec import Cid
from knet.trust.rater_weights import STRANGERS, PersonalTrust

ME, ALICE, BOB = "0xMe", "0xAlice", "0xBob"
OWNERS = {1: ALICE, 2: BOB, 3: "0xCarol"}
NOW = 100 * 7 * 86_400


def batch(rater: str, node: int, *, up: int = 0, down: int = 0, number: int = 0, at: int = NOW) -> Batch:
    """Return a batch with ``up`` positive and ``down`` negative full ratings of one node."""
    delta = Delta(node=node, positive=100 * up, negative=100 * down, count=up + down)
    return Batch(
        rater=rater, number=number, submitted_at=at, root=b"", content=Cid.from_digest(bytes(32)), deltas=[delta]
    )


def sees(*batches: Batch) -> PersonalTrust:
    trust = PersonalTrust(ME)
    trust.update(batches, OWNERS)
    return trust


def test_account_without_own_ratings_has_no_personal_reputations() -> None:
    assert sees(batch(ALICE, 2, up=50)).reputations(NOW) == {}


def test_own_ratings_outweigh_any_number_of_strangers() -> None:
    crowd = [batch(f"0xSybil{n}", 3, up=40) for n in range(50)]
    seen = sees(batch(ME, 1, up=3), batch(ME, 3, down=12, number=1), *crowd).reputations(NOW)[3]
    assert seen.positive == pytest.approx(STRANGERS)
    assert seen.mean < 0.5, "2,000 ratings of strangers against 12 of the user"


def test_ratings_of_a_trusted_owner_outweigh_strangers() -> None:
    mine, hers = batch(ME, 1, up=5), batch(ALICE, 2, up=30)
    stranger = batch("0xStranger", 2, down=30)
    seen = sees(mine, hers, stranger).reputations(NOW)[2]
    assert seen.positive > 2 * seen.negative
    before = sees(mine, stranger).reputations(NOW)[2]
    assert before.mean < 0.5 < seen.mean


def test_sybils_do_not_raise_the_weight_of_their_creator() -> None:
    """A hardly trusted account rates 200 nodes of its sybils well."""
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


def test_ratings_fade_with_each_epoch_as_on_chain() -> None:
    old = batch(ME, 1, up=10, at=NOW - 23 * 7 * 86_400)
    assert sees(old).reputations(NOW)[1].positive == pytest.approx(5, rel=0.01)


def test_batch_added_twice_counts_once() -> None:
    trust = sees(batch(ME, 1, up=1))
    assert not trust.update([batch(ME, 1, up=1)], OWNERS)
    assert trust.update([batch(ME, 1, up=2, number=1)], OWNERS)
    assert trust.reputations(NOW)[1].positive == 3


def test_ratings_of_a_node_with_unknown_owner_wait() -> None:
    trust = PersonalTrust(ME)
    trust.update([batch(ME, 9, up=1)], OWNERS)
    assert trust.trusted_accounts() == []
    trust.update([], {9: BOB})
    assert [account.address for account in trust.trusted_accounts()] == [BOB]


def test_trusted_account_has_an_explanation() -> None:
    trust = sees(batch(ME, 1, up=5), batch(ALICE, 2, up=5))
    accounts = {account.address: account for account in trust.trusted_accounts()}
    assert accounts[ALICE].score > accounts[BOB].score
    assert accounts[ALICE].owns == [1]
    assert "you trust Alice, who trusts Bob" in trust.why(BOB, {ME: "you", ALICE: "Alice", BOB: "Bob"})
    assert "no account that you trust has rated" in trust.why("0xStranger")
