"""Records of the `Reliability` contract, and their conversion to and from its structs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.address import to_checksum_address

from ..codec import Cid
from ..errors import BadReceipt
from ..merkle import leaf_hash
from ..records import Receipt, Record, SignedReceipt
from .events import topic_address

MAX_NODES = 256  # `Reliability.MAX_NODES`
MAX_RATINGS = 65_536  # `Reliability.MAX_RATINGS`
MAX_VALUE = 100
MAX_NODE = (1 << 128) - 1  # the largest node id that a delta can name
ONGOING = (1 << 64) - 1  # end of a period that lasts; `KeyHistory.ONGOING`
_RECEIPT = "(uint256,bytes32,bytes32,bytes32,address,uint64,bytes32)"
_LEAF = f"({_RECEIPT},bytes32,bytes32,uint8,int8,uint48,uint48)"

WEI_PER_INFLUENCE = 10**13  # `Bonds.WEI_PER_INFLUENCE`


class Delta(Record, frozen=True):
    """Weights that a batch adds to one node, in hundredths, over ``count`` ratings."""

    node: int
    positive: int
    negative: int
    count: int

    @property
    def word(self) -> int:
        return self.node << 128 | self.positive << 80 | self.negative << 32 | self.count

    @classmethod
    def of_word(cls, word: int) -> Delta:
        return cls(node=word >> 128, positive=word >> 80 & LOW48, negative=word >> 32 & LOW48, count=word & 0xFFFFFFFF)


LOW48 = (1 << 48) - 1


class Leaf(Record, frozen=True):
    """One rating in a batch, with the node's sums in this batch up to and including it (hundredths)."""

    receipt: SignedReceipt
    value: int
    positive: int
    negative: int


class Batch(Record, frozen=True):
    """A batch as in its ``Submitted`` event. The chain itself keeps only a hash of it."""

    rater: str
    number: int
    submitted_at: int
    root: bytes
    content: Cid  # the index of the blocks that hold the leaves
    deltas: list[Delta]
    block: int = 0
    transaction: str = ""

    @property
    def size(self) -> int:
        """Number of leaves, by the deltas."""
        return sum(delta.count for delta in self.deltas)

    def spans(self) -> Iterator[tuple[Delta, int, int]]:
        """Yield each delta with the indexes of its first leaf and of the leaf after its last."""
        start = 0
        for delta in self.deltas:
            yield delta, start, start + delta.count
            start += delta.count


class LeafProof(Record, frozen=True):
    """A leaf, its index, and its siblings from the bottom up (`knet.merkle.Tree.path`)."""

    index: int
    leaf: Leaf
    path: list[bytes]


class StakeStatus(Record, frozen=True):
    """Stake of a rater: wei of the bond, influence used in this epoch (hundredths), and the time when it is free."""

    bond: int
    spent: int
    batches: int
    free_at: int  # unix seconds; 0 if the rater never submitted

    @property
    def influence(self) -> int:
        """Influence left in this epoch, in hundredths."""
        return max(self.bond // WEI_PER_INFLUENCE - self.spent, 0)


class Reward(Record, frozen=True):
    """Rewards of challenges: wei, and the time from which they can be claimed (unix seconds; 0 without rewards)."""

    amount: int
    free_at: int


class KeyPeriods(Record, frozen=True):
    """Recorded periods of an account as wallet and owner of a node; unix seconds, 0 for never, `ONGOING` for still."""

    wallet_since: int
    wallet_until: int
    owner_since: int
    owner_until: int


class AvailabilityChallenge(Record, frozen=True):
    """An open challenge of a leaf. Without a response by ``deadline`` (unix seconds) the batch is voided."""

    rater: str
    number: int
    challenger: str
    index: int
    deadline: int


def hash_of_leaf(leaf: Leaf) -> bytes:
    """Return the leaf's hash in the batch's tree. Raises BadReceipt for fields that do not fit."""
    return leaf_hash(abi_encode([_LEAF], [leaf_words(leaf)]))


def leaf_words(leaf: Leaf) -> tuple[Any, ...]:
    """Return a leaf as the contract's struct ``Rating``. Raises BadReceipt for fields that do not fit."""
    signature = leaf.receipt.signature
    fits = -128 <= leaf.value <= 127 and 0 <= leaf.positive <= LOW48 and 0 <= leaf.negative <= LOW48
    if len(signature) != 65 or not fits:
        raise BadReceipt(f"a rating of node {leaf.receipt.receipt.node} does not fit the contract's fields.")
    sums = (leaf.value, leaf.positive, leaf.negative)
    return (receipt_words(leaf.receipt.receipt), signature[:32], signature[32:64], signature[64], *sums)


def receipt_words(receipt: Receipt) -> tuple[Any, ...]:
    """Return a receipt as the contract's struct ``Receipt``. Raises BadReceipt for fields that do not fit."""
    digests = (receipt.manifest, receipt.query, receipt.results)
    if (
        any(len(digest) != 32 for digest in (*digests, receipt.nonce))
        or len(receipt.client) != 20
        or not (0 <= receipt.node < 1 << 256 and 0 <= receipt.issued_at < 1 << 64)
    ):
        raise BadReceipt(f"a receipt of node {receipt.node} does not fit the contract's fields.")
    return (receipt.node, *digests, to_checksum_address(receipt.client), receipt.issued_at, receipt.nonce)


def batch_words(batch: Batch) -> tuple[Any, ...]:
    """Return a batch as the contract's struct ``Batch``."""
    deltas = [delta.word for delta in batch.deltas]
    return batch.rater, batch.number, batch.submitted_at, batch.root, batch.content.digest, deltas


def proof_words(proof: LeafProof) -> tuple[Any, ...]:
    """Return a proof as the contract's struct ``Proof``."""
    return proof.index, leaf_words(proof.leaf), proof.path


def decode_proof(words: dict[str, Any]) -> LeafProof:
    """Return the proof in the contract's struct ``Proof``, as decoded by web3."""
    rating, receipt = words["rating"], words["rating"]["receipt"]
    signed = SignedReceipt(
        receipt=Receipt(
            node=receipt["node"],
            manifest=receipt["manifest"],
            query=receipt["query"],
            results=receipt["results"],
            client=bytes.fromhex(receipt["client"][2:]),
            issued_at=receipt["issuedAt"],
            nonce=receipt["nonce"],
        ),
        signature=rating["r"] + rating["s"] + bytes([rating["v"]]),
    )
    leaf = Leaf(receipt=signed, value=rating["value"], positive=rating["positive"], negative=rating["negative"])
    return LeafProof(index=words["index"], leaf=leaf, path=list(words["path"]))


def decode_batch(log: dict[str, Any], submitted_at: int) -> Batch:
    """Return the batch of a ``Submitted`` log."""
    root, content, words = abi_decode(["bytes32", "bytes32", "uint256[]"], bytes.fromhex(log["data"][2:]))
    rater, number = rater_and_number(log)
    return Batch(
        rater=rater,
        number=number,
        submitted_at=submitted_at,
        root=root,
        content=Cid.from_digest(content),
        deltas=[Delta.of_word(word) for word in words],
        block=int(log["blockNumber"], 16),
        transaction=log["transactionHash"],
    )


def rater_and_number(log: dict[str, Any]) -> tuple[str, int]:
    """Return rater and number of the batch of a log of `Reliability`."""
    return topic_address(log["topics"][1]), int(log["topics"][2], 16)


def adds_up(before: Leaf | None, leaf: Leaf) -> bool:
    """Return True if a leaf's sums are those of the leaf before it (None: the node's first leaf) and its own value."""
    positive, negative = (before.positive, before.negative) if before else (0, 0)
    expected = (positive + max(leaf.value, 0), negative + max(-leaf.value, 0))
    return (leaf.positive, leaf.negative) == expected


def first_wrong_sum(leaves: list[Leaf], start: int, stop: int) -> int | None:
    """Return the first index in ``start + 1 .. stop - 1`` whose leaf does not add up with the leaf before it."""
    for index, (before, leaf) in enumerate(pairwise(leaves[start:stop]), start + 1):
        if not adds_up(before, leaf):
            return index
    return None
