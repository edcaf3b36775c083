"""What became of one's own demands: silence costs a rater its bond, and a leaf that was shown is looked at."""

from __future__ import annotations

from ..chain.bonded import WINDOW_SECONDS
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..errors import TransactionFailed, TransactionPending
from .audit import Finding, challenge
from .faults import Rules


def follow_up(chain: EvmChain, signer: Signer, now: int) -> list[str]:
    """Close every demand of ``signer`` that can be closed: the transaction hashes; ``now`` is unix seconds.

    A rater that stayed silent is punished; the fee for a batch that was taken back meanwhile is reclaimed; a leaf that
    was revealed and is wrong is challenged. What somebody else did first is passed over.
    Raises ChainUnreachable and TransactionPending.
    """
    transactions: list[str] = []
    batches = {(batch.rater, batch.number): batch for batch in chain.batches()}
    for demand in chain.demands(by=signer.address):
        batch = batches.get((demand.rater, demand.number))
        if batch is None:
            continue  # it came after the batches were read
        try:
            if not chain.stands(batch):
                transactions.append(chain.reclaim(signer, demand))
            elif demand.deadline < now <= batch.submitted_at + WINDOW_SECONDS:
                transactions.append(chain.challenge_silence(signer, batch, demand.index))
        except TransactionPending:
            raise
        except TransactionFailed:
            continue
    rules = Rules(chain)
    for rater, number, proof in chain.revealed_to(signer.address):
        batch = batches.get((rater, number))
        if batch is None:
            continue
        fault = rules.leaf_fault(proof.leaf, rater, batch.submitted_at)
        if not fault or now > batch.submitted_at + WINDOW_SECONDS or not chain.stands(batch):
            continue
        try:
            transactions.append(
                challenge(chain, signer, Finding(batch=batch, kind="leaf", reason=fault, proofs=[proof]))
            )
        except TransactionPending:
            raise
        except TransactionFailed:
            continue
    return transactions
