"""Checks of ratings before a batch is sent, against everything that the contract would punish."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..chain.batches import MAX_NODES, ONGOING
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..errors import BadReceipt, NotRegistered
from ..records import Rating, Record
from .rules import CLOCK_SKEW_SECONDS, RatingRules

MARGIN_SECONDS = 30  # the next block may be earlier by so much than the RPC expects


class Admission(Record, frozen=True):
    """Ratings to send, ratings that wait until their receipts are in force, and the reasons for refused ones."""

    ratings: list[Rating]
    waiting: list[Rating]
    refused: list[str]


def chain_time(chain: EvmChain) -> int:
    """Return the earliest time of the next block (unix seconds)."""
    return max(int(time.time()), chain.time())


def prevalidate(chain: EvmChain, signer: Signer, ratings: Sequence[Rating], deadline: int) -> Admission:
    """Sort ratings, after recording the present wallets of their nodes on chain where a record is missing.

    A rating passes only if it is valid from the chain's next block to ``deadline`` by the chain's clock, whenever the
    batch is included. Raises ChainUnreachable, TransactionFailed.
    """
    new = _checkpoint(chain, signer, ratings)
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
        fault = fault or _ownership_violation(chain, receipt.node, signer.address)
        if fault and receipt.node in new:
            waiting.append(rating)  # the RPC may not know the checkpoint of just now
        elif fault:
            refused.append(f"node {receipt.node}: {fault}")
        else:
            kept.append(rating)
    return Admission(ratings=kept, waiting=waiting, refused=refused)


def _checkpoint(chain: EvmChain, signer: Signer, ratings: Sequence[Rating]) -> set[int]:
    """Record wallets on chain that signed receipts, before their nodes can change them. Returns the nodes.

    Also records nodes that were given to the rater and given away since: until then, the contract takes the rater for
    their owner.
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


def _ownership_violation(chain: EvmChain, node: int, rater: str) -> str:
    """Return the reason to refuse a rating of a rater's own node: an audit would find the owner."""
    try:
        return f"{rater} owns node {node}, and would rate itself" if chain.identity.owner_of(node) == rater else ""
    except NotRegistered as error:
        return str(error)
