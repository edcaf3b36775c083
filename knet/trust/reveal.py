"""Answering demands: whoever holds a batch's ratings may reveal a leaf, for the fee. Silence costs the bond."""

from __future__ import annotations

from ..chain.bonded import BondedRatings
from ..chain.keys import Signer
from ..content.base import BlockSource
from .batch import fetch_leaves, prove, tree_of


def reveal_demanded(chain: BondedRatings, signer: Signer, rater: str, source: BlockSource) -> list[str]:
    """Reveal every leaf that was demanded of a rater: the transaction hashes.

    Raises TransactionFailed, CodecError, and as `BlockSource.get` when the ratings are not at hand.
    """
    batches = {batch.number: batch for batch in chain.batches(rater)}
    transactions = []
    for demand in chain.demands(rater):
        batch = batches[demand.number]
        if chain.stands(batch):
            leaves = fetch_leaves(batch, source)
            proof = prove(leaves, tree_of(leaves), demand.index)
            transactions.append(chain.reveal(signer, batch, proof, demand.by))
    return transactions
