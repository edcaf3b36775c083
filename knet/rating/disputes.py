"""What became of one's own demands: silence costs a rater its bond, and a leaf that was shown is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..chain.batches import AvailabilityChallenge, Batch, Leaf
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..chain.reliability import WINDOW_SECONDS
from ..content.base import BlockSource
from ..errors import (
    BadReceipt,
    CodecError,
    ContentError,
    KnetError,
    TransactionFailed,
    TransactionPending,
    TransportError,
)
from ..merkle import Tree
from .batch import fetch_leaves, prove, tree_of
from .rules import RatingRules

Step = Callable[[], str]  # sends a transaction: its hash


def follow_up(chain: EvmChain, signer: Signer, now: int) -> list[str]:
    """Close every demand of ``signer`` that can be closed: the transaction hashes; ``now`` is unix seconds.

    A rater that stayed silent is punished; the fee for a batch that was taken back meanwhile is reclaimed; a leaf that
    was revealed and is wrong is challenged. What somebody else did first is passed over.
    Raises ChainUnreachable and TransactionPending.
    """
    batches = {(batch.rater, batch.number): batch for batch in chain.reliability.batches()}
    transactions: list[str] = []
    for steps in (_unanswered(chain, signer, batches, now), _answered_wrongly(chain, signer, batches, now)):
        for step in steps:
            try:
                transactions.append(step())
            except TransactionPending:
                raise
            except TransactionFailed:
                continue
    return transactions


def _unanswered(chain: EvmChain, signer: Signer, batches: dict[tuple[str, int], Batch], now: int) -> Iterator[Step]:
    for demand in chain.reliability.open_challenges(challenger=signer.address):
        batch = batches.get((demand.rater, demand.number))  # none: it came after the batches were read
        if batch is None:
            continue
        if not chain.reliability.is_active(batch):
            yield partial(chain.reliability.reclaim_fee, signer, demand)
        elif demand.deadline < now <= batch.submitted_at + WINDOW_SECONDS:
            yield partial(chain.reliability.challenge_no_response, signer, batch, demand.index)


def _answered_wrongly(
    chain: EvmChain, signer: Signer, batches: dict[tuple[str, int], Batch], now: int
) -> Iterator[Step]:
    rules = RatingRules(chain)
    for rater, number, proof in chain.reliability.responses_to(signer.address):
        batch = batches.get((rater, number))
        if batch is None or now > batch.submitted_at + WINDOW_SECONDS or not chain.reliability.is_active(batch):
            continue
        if rules.leaf_violation(proof.leaf, rater, batch.submitted_at):
            yield partial(chain.reliability.challenge_leaf, signer, batch, proof)


def due_challenges(chain: EvmChain, rater: str, now: int) -> list[tuple[Batch, AvailabilityChallenge]]:
    """The demands that a rater can still answer, and loses its bond by not answering; the most urgent first.

    ``now`` is unix seconds. Raises ChainUnreachable.
    """
    batches = {
        batch.number: batch for batch in chain.reliability.batches(rater) if now <= batch.submitted_at + WINDOW_SECONDS
    }
    demands = sorted(chain.reliability.open_challenges(rater), key=lambda demand: demand.deadline) if batches else []
    due = [(batches[each.number], each) for each in demands if each.number in batches and now <= each.deadline]
    stands = {number: chain.reliability.is_active(batches[number]) for number in {batch.number for batch, _ in due}}
    return [(batch, demand) for batch, demand in due if stands[batch.number]]


def respond_to_challenges(chain: EvmChain, signer: Signer, rater: str, source: BlockSource, now: int) -> list[str]:
    """Reveal every leaf that was demanded of a rater: the transaction hashes.

    Each is tried, so that nothing stands in the way of the others; then, where a demand is still open, raises why:
    TransactionFailed, CodecError, and as `BlockSource.get` when the ratings are not at hand.
    """
    transactions: list[str] = []
    failed: dict[AvailabilityChallenge, KnetError] = {}
    read: dict[int, tuple[list[Leaf], Tree]] = {}
    for batch, demand in due_challenges(chain, rater, now):
        try:
            if batch.number not in read:
                leaves = fetch_leaves(batch, source)
                read[batch.number] = leaves, tree_of(leaves)
            transactions.append(
                chain.reliability.respond(signer, batch, prove(*read[batch.number], demand.index), demand.challenger)
            )
        except (TransactionFailed, ContentError, CodecError, BadReceipt, TransportError) as error:
            failed[demand] = error
    if failed:  # who reveals is paid, so others may have done it just before
        left = [failed[demand] for _, demand in due_challenges(chain, rater, now) if demand in failed]
        if left:
            raise left[0]
    return transactions
