"""Tests of training pairs: signatures, trust, and the cap on each contributor."""

from __future__ import annotations

from hashlib import sha256

import pytest
from eth_account.messages import encode_typed_data
from msgspec.structs import replace

from knet.chain.keys import new_key
from knet.dsi.pairs import (
    CONTRIBUTOR_MINIMUM,
    CONTRIBUTOR_SHARE,
    Pair,
    WeightedPair,
    cap_contributors,
    pair_digest,
    recover_contributor,
    sign_pair,
    weight_pairs,
)
from knet.errors import BadReceipt

NETWORK = (31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
PAIR = Pair(question="Wie hoch ist der Turm?", docid="bafkreia#0-10", given_at=1_700_000_000)


def test_digest_follows_eip_712() -> None:
    message = encode_typed_data(
        {"name": "knet", "version": "1", "chainId": NETWORK[0], "verifyingContract": NETWORK[1]},
        {
            "Pair": [
                {"name": "question", "type": "bytes32"},
                {"name": "docid", "type": "bytes32"},
                {"name": "givenAt", "type": "uint64"},
            ]
        },
        {
            "question": sha256(PAIR.question.encode()).digest(),
            "docid": sha256(PAIR.docid.encode()).digest(),
            "givenAt": PAIR.given_at,
        },
    )
    key = new_key()
    assert key.unsafe_sign_hash(pair_digest(PAIR, *NETWORK)).signature == key.sign_message(message).signature


def test_contributor_is_recovered_from_signature() -> None:
    key = new_key()
    assert recover_contributor(sign_pair(key, PAIR, *NETWORK), *NETWORK) == key.address


@pytest.mark.parametrize("change", [{"question": "Wie alt?"}, {"docid": "other"}, {"given_at": 1}])
def test_changed_pair_has_another_contributor(change: dict[str, object]) -> None:
    key = new_key()
    signed = sign_pair(key, PAIR, *NETWORK)
    changed = replace(signed, pair=replace(PAIR, **change))
    assert weight_pairs([changed], {key.address: 1.0}, *NETWORK) == ([], 1)


def test_pair_of_another_network_is_dropped() -> None:
    key = new_key()
    signed = sign_pair(key, PAIR, 1, NETWORK[1])
    assert weight_pairs([signed], {key.address: 1.0}, *NETWORK) == ([], 1)


def test_pair_is_weighted_by_trust() -> None:
    friend, stranger = new_key(), new_key()
    signed = [sign_pair(key, PAIR, *NETWORK) for key in (friend, stranger)]
    weighed, dropped = weight_pairs(signed, {friend.address: 0.4}, *NETWORK)
    assert weighed == [WeightedPair(PAIR.question, PAIR.docid, 0.4, friend.address)]
    assert dropped == 1


def test_repeated_pair_counts_once() -> None:
    friend = new_key()
    again = [sign_pair(friend, replace(PAIR, given_at=when), *NETWORK) for when in range(20)]
    weighed, dropped = weight_pairs(again, {friend.address: 1.0}, *NETWORK)
    assert (len(weighed), dropped) == (1, 19)


def test_pair_with_bad_signature_is_dropped() -> None:
    friend = new_key()
    good = sign_pair(friend, PAIR, *NETWORK)
    weighed, dropped = weight_pairs([replace(good, signature=b"nonsense"), good], {friend.address: 1.0}, *NETWORK)
    assert (len(weighed), dropped) == (1, 1)
    with pytest.raises(BadReceipt):
        recover_contributor(replace(good, signature=b"nonsense"), *NETWORK)


def test_trust_is_clipped_to_one() -> None:
    friend = new_key()
    ((weighed,), _) = weight_pairs([sign_pair(friend, PAIR, *NETWORK)], {friend.address: 50.0}, *NETWORK)
    assert weighed.weight == 1.0


@pytest.mark.parametrize("passages", [10, 1000])
def test_pairs_of_one_contributor_are_capped(passages: int) -> None:
    flood = [WeightedPair(f"question {number}", "target", 0.5, "0xgiver") for number in range(500)]
    own = [WeightedPair("mine", "target")] * 500
    weighed = cap_contributors([*flood, *own], passages)
    limit = 0.5 * max(CONTRIBUTOR_MINIMUM, CONTRIBUTOR_SHARE * passages)
    assert sum(pair.weight for pair in weighed if pair.contributor) == pytest.approx(limit)
    assert sum(pair.weight for pair in weighed if not pair.contributor) == 500


def test_few_pairs_are_not_scaled() -> None:
    few = [WeightedPair("a", "x", 0.5, "0xgiver"), WeightedPair("b", "y", 0.5, "0xgiver")]
    assert cap_contributors(few, 1000) == few
