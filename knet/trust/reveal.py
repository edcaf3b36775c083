"""Answering demands: whoever holds a batch's ratings may reveal a leaf, for the fee. Silence costs the bond."""

from __future__ import annotations

from ..chain.base import Chain
from ..chain.batches import Batch, Demand, Leaf
from ..chain.bonded import WINDOW_SECONDS
from ..chain.keys import Signer
from ..content.base import BlockSource
from ..errors import BadReceipt, CodecError, ContentError, KnetError, TransactionFailed, TransportError
from ..merkle import Tree
from .batch import fetch_leaves, prove, tree_of


def open_demands(chain: Chain, rater: str, now: int) -> list[tuple[Batch, Demand]]:
    """The demands that a rater can still answer, and loses its bond by not answering; the most urgent first.

    ``now`` is unix seconds. Raises ChainUnreachable.
    """
    batches = {batch.number: batch for batch in chain.batches(rater) if now <= batch.submitted_at + WINDOW_SECONDS}
    demands = sorted(chain.demands(rater), key=lambda demand: demand.deadline) if batches else []
    due = [(batches[each.number], each) for each in demands if each.number in batches and now <= each.deadline]
    stands = {number: chain.stands(batches[number]) for number in {batch.number for batch, _ in due}}
    return [(batch, demand) for batch, demand in due if stands[batch.number]]


def reveal_demanded(chain: Chain, signer: Signer, rater: str, source: BlockSource, now: int) -> list[str]:
    """Reveal every leaf that was demanded of a rater: the transaction hashes.

    Each is tried, so that nothing stands in the way of the others; then, where a demand is still open, raises why:
    TransactionFailed, CodecError, and as `BlockSource.get` when the ratings are not at hand.
    """
    transactions: list[str] = []
    failed: dict[Demand, KnetError] = {}
    read: dict[int, tuple[list[Leaf], Tree]] = {}
    for batch, demand in open_demands(chain, rater, now):
        try:
            if batch.number not in read:
                leaves = fetch_leaves(batch, source)
                read[batch.number] = leaves, tree_of(leaves)
            transactions.append(chain.reveal(signer, batch, prove(*read[batch.number], demand.index), demand.by))
        except (TransactionFailed, ContentError, CodecError, BadReceipt, TransportError) as error:
            failed[demand] = error
    if failed:  # who reveals is paid, so others may have done it just before
        left = [failed[demand] for _, demand in open_demands(chain, rater, now) if demand in failed]
        if left:
            raise left[0]
    return transactions
