"""Batches of ratings in blocks of at most 1 MiB, and the leaves read back from them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from knet.chain.batches import Batch, Delta, Leaf
from knet.codec import MAX_BLOCK
from knet.content.store import MemoryStore
from knet.errors import BadReceipt, BlockNotFound, CodecError
from knet.rating.batch import LEAVES_PER_BLOCK, RatingBatch, build_batch, fetch_leaves, publish_batch, tree_of
from knet.records import Rating, Receipt, SignedReceipt


def rating(nonce: int, *, node: int = 2**40, client: bytes = b"\xff" * 20) -> Rating:
    """Return a rating whose encoding has the maximum size."""
    digest = b"\xff" * 32
    receipt = Receipt(
        node=node, manifest=digest, query=digest, results=digest, client=client, issued_at=2**40,
        nonce=nonce.to_bytes(32, "big"),
    )  # fmt: skip
    return Rating(receipt=SignedReceipt(receipt=receipt, signature=b"\xff" * 65), value=-100)


def batch(folded: RatingBatch) -> Batch:
    return Batch(
        rater="0x", number=0, submitted_at=0, root=folded.root, content=folded.content, deltas=folded.deltas
    )  # fmt: skip


def test_large_batch_is_split_into_blocks_and_read_back() -> None:
    folded = build_batch([rating(nonce) for nonce in range(LEAVES_PER_BLOCK + 1)])
    store = MemoryStore()
    publish_batch(folded, store)
    blocks = list(store)
    assert len(blocks) == 3, "an index, a full block and one more"
    assert max(len(store.get(cid)) for cid in blocks) < MAX_BLOCK * 3 // 4
    assert fetch_leaves(batch(folded), store) == folded.leaves


def test_missing_or_different_leaves_are_refused() -> None:
    folded, store = build_batch([rating(1), rating(2)]), MemoryStore()
    with pytest.raises(BlockNotFound):
        fetch_leaves(batch(folded), store)
    publish_batch(folded, store)
    with pytest.raises(CodecError, match="do not match its root"):
        fetch_leaves(replace(batch(folded), root=bytes(32)), store)
    with pytest.raises(CodecError, match="do not match its root"):
        fetch_leaves(replace(batch(folded), deltas=[replace(folded.deltas[0], count=1)]), store)


@pytest.mark.parametrize("broken", [{"client": b"short"}, {"node": -1}])
def test_receipt_with_a_field_out_of_range_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(BadReceipt):
        build_batch([rating(1, **broken)])  # type: ignore[arg-type]


def test_leaf_with_a_signature_or_sum_out_of_range_is_refused() -> None:
    good = build_batch([rating(1)]).leaves[0]
    for leaf in (
        replace(good, positive=1 << 48),
        replace(good, negative=-1),
        replace(good, value=128),
        replace(good, receipt=replace(good.receipt, signature=b"")),
    ):
        with pytest.raises(BadReceipt):
            tree_of([leaf])


def test_delta_fits_one_word() -> None:
    delta = Delta(node=2**128 - 1, positive=2**48 - 1, negative=1, count=2**32 - 1)
    assert delta.word < 2**256
    assert Delta.of_word(delta.word) == delta
    assert isinstance(build_batch([rating(3)]).leaves[0], Leaf)
