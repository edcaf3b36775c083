"""Weights of raters: trusted accounts count in full, all strangers together as a few ratings."""

from __future__ import annotations

import pytest

from knet.chain.batches import Batch, Delta
from knet.codec import Cid
from knet.trust.rater_weights import PersonalTrust
from knet.trust.rating_evidence import PUBLIC_CAP

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


def test_strangers_ratings_never_lower_a_node_below_an_unrated_one() -> None:
    """Threat model: rater, bad-mouthing. Ten receipts and 0.01 ether once buried any node for every new client."""
    crowd = [batch(f"0xSybil{n}", 3, down=40) for n in range(50)]
    assert 3 not in sees(*crowd).reputations(NOW)
    praised = [batch(ALICE, 3, up=2), batch(ALICE, 2, up=2, number=1)]
    seen = sees(*praised, *crowd).reputations(NOW)
    assert 3 not in seen, "all that it lost is what other strangers had given"
    assert seen[2].positive > 0 == seen[2].negative


@pytest.mark.parametrize("up", [1, 10, 10_000])
def test_strangers_ratings_add_a_bounded_credit(up: int) -> None:
    """Threat model: node, ratings of itself by its other accounts."""
    honest = [batch(f"0xHonest{n}", 10 + n, up=5) for n in range(20)]
    seen = sees(*honest, batch("0xSecondAccount", 2, up=up)).reputations(NOW)
    assert 0 < seen[2].positive <= PUBLIC_CAP
    assert seen[2].negative == 0


def test_split_bond_adds_no_credit() -> None:
    """Threat model: rater, many identities."""
    honest = [batch(f"0xHonest{n}", 10 + n, up=5) for n in range(20)]
    whole = sees(*honest, batch("0xOne", 2, up=40)).reputations(NOW)[2]
    parts = sees(*honest, *[batch(f"0xPart{n}", 2, up=4) for n in range(10)]).reputations(NOW)[2]
    assert parts.positive == pytest.approx(whole.positive)


def test_own_ratings_count_in_full_and_leave_little_to_strangers() -> None:
    crowd = [batch(f"0xSybil{n}", 3, up=40) for n in range(50)]
    seen = sees(batch(ME, 1, up=8), batch(ME, 3, down=12, number=1), *crowd).reputations(NOW)
    assert seen[3].negative == 12
    assert seen[3].positive <= PUBLIC_CAP / 5
    assert seen[1].positive == 8


def test_two_trusted_raters_are_believed_and_one_is_not() -> None:
    """Threat model: owner, bad-mouthing after its node was rated well."""
    mine = [batch(ME, 1, up=5), batch(ME, 3, up=5, number=1)]
    one = sees(*mine, batch(ALICE, 2, down=30)).reputations(NOW)
    assert one[2].negative == 0
    two = sees(*mine, batch(ALICE, 2, down=30), batch("0xCarol", 2, down=1)).reputations(NOW)[2]
    assert two.negative == pytest.approx(1, rel=0.1), "what the second one says is borne out"


def test_sybils_of_a_trusted_rater_are_one_group_with_it() -> None:
    owners = {**OWNERS, **{node: f"0xSybil{node}" for node in range(100, 110)}}
    trust = PersonalTrust(ME)
    mine = [batch(ME, 1, up=5), batch(ME, 3, up=5, number=1)]
    vouching = [batch(ALICE, node, up=5, number=node) for node in range(100, 110)]
    lies = [batch(f"0xSybil{node}", 2, down=30) for node in range(100, 110)]
    trust.update([*mine, *vouching, *lies, batch(ALICE, 2, down=30)], owners)
    assert trust.weight("0xSybil100") > 0, "walks reach them"
    assert trust.reputations(NOW)[2].negative == 0


def test_starting_raters_are_believed_by_a_client_that_has_rated_no_node() -> None:
    trust = PersonalTrust(ME, [ALICE])
    trust.update([batch(ALICE, 2, down=30), batch(ALICE, 3, up=2, number=1), batch("0xStranger", 2, up=30)], OWNERS)
    seen = trust.reputations(NOW)
    assert seen[2].mean < 0.5 < seen[3].mean
    assert next(account.address for account in trust.trusted_accounts()) == ALICE


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
    assert trust.reputations(NOW)[1].positive == pytest.approx(3)


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
