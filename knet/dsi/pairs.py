"""Questions with the passage that answers them, from oneself or signed by whoever gave them, and what each may weigh.

A pair of somebody else counts as much as its giver is trusted, and all pairs of one giver together no more than a
share of the shard: one friend who was taken over cannot move it, and strangers cannot either, however many.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eth_hash.auto import keccak

from ..chain.keys import Signer
from ..chain.receipts import domain_separator, recover_digest, sign_digest
from ..errors import BadReceipt
from ..records import Record

PAIR_TYPE = "Pair(bytes32 question,bytes32 docid,uint64 givenAt)"
CONTRIBUTOR_SHARE = 0.05  # of the shard's passages: what all pairs of one giver, fully trusted, weigh at most
CONTRIBUTOR_MINIMUM = 2.0  # full pairs that one giver may weigh in a shard however small
_PAIR_TYPEHASH = keccak(PAIR_TYPE.encode())


class Pair(Record, frozen=True):
    """``docid`` answers ``question``: a positive rating, a declared FAQ. ``given_at`` in unix seconds."""

    question: str
    docid: str
    given_at: int = 0


class SignedPair(Record, frozen=True):
    """A pair and the EIP-712 signature (65 bytes) of who gave it."""

    pair: Pair
    signature: bytes


class WeightedPair(NamedTuple):
    """A pair on its way into training. ``contributor`` is an address, or empty for one's own."""

    question: str
    docid: str
    weight: float = 1.0
    contributor: str = ""


def pair_digest(pair: Pair, chain_id: int, contract: str) -> bytes:
    """The 32 bytes that are signed, in the domain of one network's `Reliability` contract. Raises BadReceipt."""
    if not 0 <= pair.given_at < 1 << 64:
        raise BadReceipt("the time of a pair is not a uint64.")
    struct_hash = keccak(
        _PAIR_TYPEHASH
        + hashlib.sha256(pair.question.encode()).digest()
        + hashlib.sha256(pair.docid.encode()).digest()
        + pair.given_at.to_bytes(32, "big")
    )
    return keccak(b"\x19\x01" + domain_separator(chain_id, contract) + struct_hash)


def sign_pair(signer: Signer, pair: Pair, chain_id: int, contract: str) -> SignedPair:
    """Give a pair to others. Raises BadReceipt."""
    return SignedPair(pair=pair, signature=sign_digest(signer, pair_digest(pair, chain_id, contract)))


def recover_contributor(signed: SignedPair, chain_id: int, contract: str) -> str:
    """Checksum address of who gave a pair. Raises BadReceipt."""
    return recover_digest(pair_digest(signed.pair, chain_id, contract), signed.signature, "a pair")


def weight_pairs(
    pairs: Iterable[SignedPair], trust: Mapping[str, float], chain_id: int, contract: str
) -> tuple[list[WeightedPair], int]:
    """What others gave, weighted by how far each giver is trusted (checksum address -> 0 to 1), and how many fell out.

    Pairs that nobody signed, of givers without trust, and repetitions fall out.
    """
    found: dict[tuple[str, str, str], WeightedPair] = {}
    count = 0
    for signed in pairs:
        count += 1
        try:
            giver = recover_contributor(signed, chain_id, contract)
        except BadReceipt:
            continue
        weight = min(max(trust.get(giver, 0.0), 0.0), 1.0)
        if weight > 0:
            pair = signed.pair
            key = (giver, pair.question, pair.docid)
            found[key] = WeightedPair(pair.question, pair.docid, weight, giver)
    return list(found.values()), count - len(found)


def cap_contributors(pairs: Sequence[WeightedPair], passages: int) -> list[WeightedPair]:
    """The pairs of one shard of so many passages, scaled so that no giver weighs more than their trust allows."""
    limit = max(CONTRIBUTOR_MINIMUM, CONTRIBUTOR_SHARE * passages)
    total: defaultdict[str, float] = defaultdict(float)
    most: defaultdict[str, float] = defaultdict(float)
    for pair in pairs:
        total[pair.contributor] += pair.weight
        most[pair.contributor] = max(most[pair.contributor], pair.weight)
    scale = {giver: min(1.0, most[giver] * limit / weight) for giver, weight in total.items() if giver and weight}
    return [pair._replace(weight=pair.weight * scale.get(pair.contributor, 1.0)) for pair in pairs]
