"""Training pairs of a question and its passage, from the owner or signed by contributors, and their weights.

A contributor's pair counts by the owner's trust in the contributor. All pairs of one contributor together weigh at most
a share of the shard. One compromised contributor can therefore hardly move a model, nor can any number of strangers.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eth_hash.auto import keccak

from ..chain.keys import Signer
from ..chain.receipts import domain_separator, recover_digest, sign_digest
from ..codec import Uri
from ..errors import BadReceipt
from ..limits import Question, ShortBytes
from ..records import Record

PAIR_TYPE = "Pair(bytes32 question,bytes32 docid,uint64 givenAt)"
CONTRIBUTOR_SHARE = 0.05  # of the shard's passages: the most that all pairs of one fully trusted contributor weigh
CONTRIBUTOR_MINIMUM = 2.0  # full pairs that one contributor may weigh in a shard of any size
_PAIR_TYPEHASH = keccak(PAIR_TYPE.encode())


class Pair(Record, frozen=True):
    """Statement that ``docid`` answers ``question``: a positive rating, or an FAQ. ``given_at`` in unix seconds."""

    question: Question
    docid: Uri
    given_at: int = 0


class SignedPair(Record, frozen=True):
    """Pair with the EIP-712 signature (65 bytes) of its contributor."""

    pair: Pair
    signature: ShortBytes


class WeightedPair(NamedTuple):
    """Pair for training. ``contributor`` is an address, or empty for the owner's pairs."""

    question: str
    docid: str
    weight: float = 1.0
    contributor: str = ""


def pair_digest(pair: Pair, chain_id: int, contract: str) -> bytes:
    """Return the 32 bytes to sign, in the domain of one network's `Reliability` contract. Raises BadReceipt."""
    if not 0 <= pair.given_at < 1 << 64:
        raise BadReceipt(f"The pair's time {pair.given_at} is not a uint64.")
    struct_hash = keccak(
        _PAIR_TYPEHASH
        + hashlib.sha256(pair.question.encode()).digest()
        + hashlib.sha256(pair.docid.encode()).digest()
        + pair.given_at.to_bytes(32, "big")
    )
    return keccak(b"\x19\x01" + domain_separator(chain_id, contract) + struct_hash)


def sign_pair(signer: Signer, pair: Pair, chain_id: int, contract: str) -> SignedPair:
    """Sign a pair for others. Raises BadReceipt."""
    return SignedPair(pair=pair, signature=sign_digest(signer, pair_digest(pair, chain_id, contract)))


def recover_contributor(signed: SignedPair, chain_id: int, contract: str) -> str:
    """Return the checksum address of a pair's contributor. Raises BadReceipt."""
    return recover_digest(pair_digest(signed.pair, chain_id, contract), signed.signature, "a pair")


def weight_pairs(
    pairs: Iterable[SignedPair], trust: Mapping[str, float], chain_id: int, contract: str
) -> tuple[list[WeightedPair], int]:
    """Return contributors' pairs weighted by trust (checksum address -> 0 to 1), and the number of dropped pairs.

    Pairs with a bad signature, of contributors without trust, and repetitions are dropped.
    """
    found: dict[tuple[str, str, str], WeightedPair] = {}
    count = 0
    for signed in pairs:
        count += 1
        try:
            contributor = recover_contributor(signed, chain_id, contract)
        except BadReceipt:
            continue
        weight = min(max(trust.get(contributor, 0.0), 0.0), 1.0)
        if weight > 0:
            key = (contributor, signed.pair.question, signed.pair.docid)
            found[key] = WeightedPair(signed.pair.question, signed.pair.docid, weight, contributor)
    return list(found.values()), count - len(found)


def cap_contributors(pairs: Sequence[WeightedPair], passages: int) -> list[WeightedPair]:
    """Scale the pairs of one shard of ``passages`` so that no contributor weighs more than its trust allows."""
    limit = max(CONTRIBUTOR_MINIMUM, CONTRIBUTOR_SHARE * passages)
    total: defaultdict[str, float] = defaultdict(float)
    most: defaultdict[str, float] = defaultdict(float)
    for pair in pairs:
        total[pair.contributor] += pair.weight
        most[pair.contributor] = max(most[pair.contributor], pair.weight)
    scale = {each: min(1.0, most[each] * limit / weight) for each, weight in total.items() if each and weight}
    return [pair._replace(weight=pair.weight * scale.get(pair.contributor, 1.0)) for pair in pairs]
