"""Receipts as nodes issue them, and batches as raters send them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from knet.chain.batches import Batch, Delta, Leaf
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.chain.receipts import sign_receipt
from knet.codec import cid_of
from knet.config import Deployment
from knet.content.base import BlockStore
from knet.content.store import MemoryStore
from knet.rating.batch import RatingBatch, RatingBlock, RatingIndex, build_batch, publish_batch, tree_of
from knet.records import Rating, Receipt, SignedReceipt

STAKE = 10**18  # 1,000 full ratings an epoch


def new_receipt(node: int, client: str) -> Receipt:
    return Receipt(
        node=node,
        manifest=os.urandom(32),
        query=os.urandom(32),
        results=os.urandom(32),
        client=bytes.fromhex(client[2:]),
        issued_at=int(time.time()),
        nonce=os.urandom(32),
    )


def issue(signer: Signer, receipt: Receipt, deployment: Deployment) -> SignedReceipt:
    return sign_receipt(signer, receipt, deployment.chain_id, deployment.reliability)


def rating(signer: Signer, node: int, client: Signer, deployment: Deployment, value: int = 100) -> Rating:
    return Rating(receipt=issue(signer, new_receipt(node, client.address), deployment), value=value)


def stake(chain: EvmChain, rater: Signer, wei: int = STAKE) -> None:
    if chain.reliability.stake(rater.address).bond < wei:
        chain.reliability.bond(rater, wei)


def send(chain: EvmChain, rater: Signer, folded: RatingBatch, store: BlockStore | None = None) -> Batch:
    """Submit a batch without the checks of honest raters."""
    stake(chain, rater)
    publish_batch(folded, store if store is not None else MemoryStore())
    deadline = int(time.time()) + 600
    transaction = chain.reliability.submit(rater, folded.root, folded.content, folded.deltas, deadline)
    return next(batch for batch in chain.reliability.batches(rater.address) if batch.transaction == transaction)


def submit(chain: EvmChain, rater: Signer, ratings: Sequence[Rating], store: BlockStore | None = None) -> Batch:
    """Submit ratings in a batch as an honest rater builds it."""
    chain.reliability.checkpoint(rater, sorted({item.receipt.receipt.node for item in ratings}))
    return send(chain, rater, build_batch(ratings), store)


def rebuilt(leaves: list[Leaf], deltas: list[Delta]) -> RatingBatch:
    """Return a batch of any leaves, with the root and content that fit them."""
    blocks = [RatingBlock(leaves=leaves)]
    index = RatingIndex(blocks=[cid_of(block) for block in blocks])
    return RatingBatch(leaves=leaves, deltas=deltas, root=tree_of(leaves).root, content=cid_of(index))
