"""Batches of ratings as `Reliability` takes, keeps and tells of them, and the words they are packed into."""

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

MAX_NODES = 256  # `Reliability.MAX_NODES`
MAX_RATINGS = 65_536  # `Reliability.MAX_RATINGS`
MAX_VALUE = 100
MAX_NODE = (1 << 128) - 1  # nodes that a delta can name
ONGOING = (1 << 64) - 1  # an "until" that has not come
_RECEIPT = "(uint256,bytes32,bytes32,bytes32,address,uint64,bytes32)"
_LEAF = f"({_RECEIPT},bytes32,bytes32,uint8,int8,uint48,uint48)"


WEI_PER_INFLUENCE = 10**13  # `Bonds.WEI_PER_INFLUENCE`


class Delta(Record, frozen=True):
    """What a batch adds to one node, in hundredths, over ``count`` ratings."""

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
    """A batch as its event told it. The chain itself keeps only a hash of it."""

    rater: str
    number: int
    submitted_at: int
    root: bytes
    content: Cid  # an index of the blocks that hold the leaves
    deltas: list[Delta]
    block: int = 0
    transaction: str = ""

    @property
    def size(self) -> int:
        """How many leaves it has, by its deltas."""
        return sum(delta.count for delta in self.deltas)

    def spans(self) -> Iterator[tuple[Delta, int, int]]:
        """Each delta with the indexes of its first leaf and of the one after its last."""
        start = 0
        for delta in self.deltas:
            yield delta, start, start + delta.count
            start += delta.count


class LeafProof(Record, frozen=True):
    """A leaf, where it stands, and its siblings from the bottom up (`knet.merkle.Tree.path`)."""

    index: int
    leaf: Leaf
    path: list[bytes]


class StakeStatus(Record, frozen=True):
    """A rater on chain: wei at stake, influence spent in this epoch (hundredths), when the bond is free again."""

    bond: int
    spent: int
    batches: int
    free_at: int  # unix seconds; 0 if it never submitted

    @property
    def influence(self) -> int:
        """What is left of it in this epoch, in hundredths."""
        return max(self.bond // WEI_PER_INFLUENCE - self.spent, 0)


class Reward(Record, frozen=True):
    """What an account earned by challenges: wei, and when it can be claimed (unix seconds; 0 where it is nothing)."""

    amount: int
    free_at: int


class KeyPeriods(Record, frozen=True):
    """What was witnessed of an account at a node; unix seconds, 0 for never, `ONGOING` for still."""

    wallet_since: int
    wallet_until: int
    owner_since: int
    owner_until: int


class AvailabilityChallenge(Record, frozen=True):
    """Somebody asked for a leaf of a batch; unless it is revealed by ``deadline`` the rater loses its bond."""

    rater: str
    number: int
    challenger: str
    index: int
    deadline: int


def hash_of_leaf(leaf: Leaf) -> bytes:
    """The leaf's hash in the batch's tree. Raises BadReceipt for fields that do not fit."""
    return leaf_hash(abi_encode([_LEAF], [leaf_words(leaf)]))


def leaf_words(leaf: Leaf) -> tuple[Any, ...]:
    """The struct ``Rating`` of the contract. Raises BadReceipt for fields that do not fit."""
    signature = leaf.receipt.signature
    fits = -128 <= leaf.value <= 127 and 0 <= leaf.positive <= LOW48 and 0 <= leaf.negative <= LOW48
    if len(signature) != 65 or not fits:
        raise BadReceipt(f"a rating of node {leaf.receipt.receipt.node} does not fit the contract's fields.")
    sums = (leaf.value, leaf.positive, leaf.negative)
    return (receipt_words(leaf.receipt.receipt), signature[:32], signature[32:64], signature[64], *sums)


def receipt_words(receipt: Receipt) -> tuple[Any, ...]:
    """The struct ``Receipt`` of the contract. Raises BadReceipt for fields that do not fit."""
    digests = (receipt.manifest, receipt.query, receipt.results)
    if (
        any(len(digest) != 32 for digest in (*digests, receipt.nonce))
        or len(receipt.client) != 20
        or not (0 <= receipt.node < 1 << 256 and 0 <= receipt.issued_at < 1 << 64)
    ):
        raise BadReceipt(f"a receipt of node {receipt.node} does not fit the contract's fields.")
    return (receipt.node, *digests, to_checksum_address(receipt.client), receipt.issued_at, receipt.nonce)


def batch_words(batch: Batch) -> tuple[Any, ...]:
    """The struct ``Batch`` of the contract."""
    deltas = [delta.word for delta in batch.deltas]
    return batch.rater, batch.number, batch.submitted_at, batch.root, batch.content.digest, deltas


def proof_words(proof: LeafProof) -> tuple[Any, ...]:
    """The struct ``Proof`` of the contract."""
    return proof.index, leaf_words(proof.leaf), proof.path


def decode_proof(words: dict[str, Any]) -> LeafProof:
    """A struct ``Proof`` of the contract, as web3 decodes it."""
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
    """The batch that a ``Submitted`` log tells of."""
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
    """Which batch a ``Submitted`` or ``Slashed`` log is about."""
    return to_checksum_address("0x" + log["topics"][1][-40:]), int(log["topics"][2], 16)


def follows(before: Leaf | None, leaf: Leaf) -> bool:
    """Whether a leaf's sums are those of the one before it (None: the node's first) and its own value."""
    positive, negative = (before.positive, before.negative) if before else (0, 0)
    expected = (positive + max(leaf.value, 0), negative + max(-leaf.value, 0))
    return (leaf.positive, leaf.negative) == expected


def first_wrong_step(leaves: list[Leaf], start: int, stop: int) -> int | None:
    """The first index in ``start + 1 .. stop - 1`` whose leaf does not follow its neighbour."""
    for index, (before, leaf) in enumerate(pairwise(leaves[start:stop]), start + 1):
        if not follows(before, leaf):
            return index
    return None
