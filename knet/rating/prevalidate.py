"""Which ratings may go into a batch now: whatever the contract would punish is found here first."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..chain.batches import MAX_NODES, ONGOING
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..errors import BadReceipt, NotRegistered
from ..records import Rating, Record
from .rules import CLOCK_SKEW_SECONDS, RatingRules

MARGIN_SECONDS = 30  # by which the next block may be earlier than the RPC thinks


class Admission(Record, frozen=True):
    """Ratings to send, ratings that must wait (their receipts are not in force yet), and why others were refused."""

    ratings: list[Rating]
    waiting: list[Rating]
    refused: list[str]


def chain_time(chain: EvmChain) -> int:
    """What the next block's time will be, at least (unix seconds)."""
    return max(int(time.time()), chain.time())


def prevalidate(chain: EvmChain, signer: Signer, ratings: Sequence[Rating], deadline: int) -> Admission:
    """Sort ratings out, after having the present wallets of their nodes witnessed where that is missing.

    A rating passes only if it is right from the chain's next block to ``deadline``, whenever the batch is included: by
    the chain's clock, whatever this machine's says. Raises ChainUnreachable, TransactionFailed.
    """
    new = _witness(chain, signer, ratings)
    rules, now = RatingRules(chain), chain.next_time()
    kept: list[Rating] = []
    waiting: list[Rating] = []
    refused: list[str] = []
    for rating in ratings:
        receipt = rating.receipt.receipt
        if now + CLOCK_SKEW_SECONDS - MARGIN_SECONDS < receipt.issued_at <= now + 86_400:
            waiting.append(rating)
            continue
        fault = rules.violation(rating.receipt, rating.value, signer.address, deadline)
        fault = fault or _owned(chain, receipt.node, signer.address)
        if fault and receipt.node in new:
            waiting.append(rating)  # the RPC may not have seen yet what was witnessed just now
        elif fault:
            refused.append(f"node {receipt.node}: {fault}")
        else:
            kept.append(rating)
    return Admission(ratings=kept, waiting=waiting, refused=refused)


def _witness(chain: EvmChain, signer: Signer, ratings: Sequence[Rating]) -> set[int]:
    """Have wallets noted that signed receipts and are not known to, before the node can change them: their nodes.

    Also nodes that were given to the rater and given away since: until that is noted, the contract takes it for the
    owner.
    """
    rules, new = RatingRules(chain), set[int]()
    for rating in ratings:
        node = rating.receipt.receipt.node
        try:
            wallet = rules.signer(rating.receipt)
            if node not in new and rules.key_history(node, wallet).wallet_until != ONGOING:
                new.update({node} if chain.identity.signer_of(node) == wallet else ())
            if node not in new and rules.key_history(node, signer.address).owner_until == ONGOING:
                new.update({node} if chain.identity.owner_of(node) != signer.address else ())
        except (BadReceipt, NotRegistered):
            continue
    nodes = sorted(new)
    for start in range(0, len(nodes), MAX_NODES):
        chain.reliability.checkpoint(signer, nodes[start : start + MAX_NODES])
    return new


def _owned(chain: EvmChain, node: int, rater: str) -> str:
    """An owner whom nobody witnessed yet would be one by the time of an audit."""
    try:
        return f"{rater} owns node {node}, and would rate itself" if chain.identity.owner_of(node) == rater else ""
    except NotRegistered as error:
        return str(error)
