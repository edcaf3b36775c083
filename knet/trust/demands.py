"""What became of one's own demands: silence costs a rater its bond, and a leaf that was shown is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..chain.batches import Batch
from ..chain.bonded import WINDOW_SECONDS
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..errors import TransactionFailed, TransactionPending
from .faults import Rules

Step = Callable[[], str]  # sends a transaction: its hash


def follow_up(chain: EvmChain, signer: Signer, now: int) -> list[str]:
    """Close every demand of ``signer`` that can be closed: the transaction hashes; ``now`` is unix seconds.

    A rater that stayed silent is punished; the fee for a batch that was taken back meanwhile is reclaimed; a leaf that
    was revealed and is wrong is challenged. What somebody else did first is passed over.
    Raises ChainUnreachable and TransactionPending.
    """
    batches = {(batch.rater, batch.number): batch for batch in chain.batches()}
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
    for demand in chain.demands(by=signer.address):
        batch = batches.get((demand.rater, demand.number))  # none: it came after the batches were read
        if batch is None:
            continue
        if not chain.stands(batch):
            yield partial(chain.reclaim, signer, demand)
        elif demand.deadline < now <= batch.submitted_at + WINDOW_SECONDS:
            yield partial(chain.challenge_silence, signer, batch, demand.index)


def _answered_wrongly(
    chain: EvmChain, signer: Signer, batches: dict[tuple[str, int], Batch], now: int
) -> Iterator[Step]:
    rules = Rules(chain)
    for rater, number, proof in chain.revealed_to(signer.address):
        batch = batches.get((rater, number))
        if batch is None or now > batch.submitted_at + WINDOW_SECONDS or not chain.stands(batch):
            continue
        if rules.leaf_fault(proof.leaf, rater, batch.submitted_at):
            yield partial(chain.challenge_leaf, signer, batch, proof)
