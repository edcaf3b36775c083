"""Follow-up of availability challenges: unavailable batches are voided, published leaves are checked."""

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

    A batch without a response is voided; the fee for a batch that was removed meanwhile is reclaimed; a leaf that was
    published and is wrong is challenged. What another account did first is passed over.
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
            yield partial(chain.reliability.void_unavailable, signer, batch, demand.index, demand.challenger)


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


def due_challenges(chain: EvmChain, rater: str | None, now: int) -> list[tuple[Batch, AvailabilityChallenge]]:
    """Return the availability challenges of one rater's batches, or of all (None), that can still be answered.

    The most urgent first; ``now`` is unix seconds. Raises ChainUnreachable.
    """
    batches = {
        (batch.rater, batch.number): batch
        for batch in chain.reliability.batches(rater)
        if now <= batch.submitted_at + WINDOW_SECONDS
    }
    demands = sorted(chain.reliability.open_challenges(rater), key=lambda demand: demand.deadline) if batches else []
    due = [(batches.get((each.rater, each.number)), each) for each in demands if now <= each.deadline]
    return [(batch, each) for batch, each in due if batch is not None and chain.reliability.is_active(batch)]


def respond_to_challenges(
    chain: EvmChain, signer: Signer, rater: str | None, source: BlockSource, now: int
) -> list[str]:
    """Publish every leaf that was asked for of one rater's batches, or of all that ``source`` holds (None).

    Return the transaction hashes. The fee of each challenge goes to ``signer``. Each challenge is tried; then, where
    one is still open, raises why: TransactionFailed, CodecError, and as `BlockSource.get` when the leaves are missing.
    """
    transactions: list[str] = []
    failed: dict[AvailabilityChallenge, KnetError] = {}
    read: dict[tuple[str, int], tuple[list[Leaf], Tree]] = {}
    for batch, demand in due_challenges(chain, rater, now):
        key = batch.rater, batch.number
        if rater is None and not source.has(batch.content):
            continue
        try:
            if key not in read:
                leaves = fetch_leaves(batch, source)
                read[key] = leaves, tree_of(leaves)
            transactions.append(
                chain.reliability.respond(signer, batch, prove(*read[key], demand.index), demand.challenger)
            )
        except (TransactionFailed, ContentError, CodecError, BadReceipt, TransportError) as error:
            failed[demand] = error
    if failed:  # the fee is paid for a response, so another account may have responded just before
        left = [failed[demand] for _, demand in due_challenges(chain, rater, now) if demand in failed]
        if left:
            raise left[0]
    return transactions
