"""Rules of a valid rating, as `Reliability.challengeLeaf` enforces them.

A rater applies them before it submits a batch, an auditor afterwards.
"""

from __future__ import annotations

from functools import lru_cache

from ..chain.batches import MAX_NODE, MAX_VALUE, ONGOING, KeyPeriods, Leaf
from ..chain.evm import EvmChain
from ..chain.receipts import recover
from ..errors import BadReceipt
from ..records import Receipt, SignedReceipt

VALIDITY_SECONDS = 30 * 86_400  # in which a receipt entitles to a rating; `Reliability.RECEIPT_VALIDITY`
GRACE_SECONDS = 2 * 86_400  # in which receipts of a replaced wallet stay valid; `Reliability.KEY_GRACE_PERIOD`
NOTICE_SECONDS = 3600  # least age of a recorded ownership that counts; `Reliability.CHECKPOINT_NOTICE`
CLOCK_SKEW_SECONDS = 120  # `Reliability.CLOCK_SKEW`


class RatingRules:
    """The contract's rules, with cached key histories."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self.key_history = lru_cache(maxsize=None)(chain.reliability.key_history)

    def violation(self, signed: SignedReceipt, value: int, rater: str, submitted_at: int) -> str:
        """Return the reason for which the contract would slash the rater of this rating; empty if there is none."""
        receipt = signed.receipt
        return (
            _violation_of_value(receipt, value)
            or _violation_of_ticket(receipt, rater, submitted_at)
            or self._violation_of_signer(signed, rater, submitted_at)
        )

    def leaf_violation(self, leaf: Leaf, rater: str, submitted_at: int) -> str:
        return self.violation(leaf.receipt, leaf.value, rater, submitted_at)

    def signer(self, signed: SignedReceipt) -> str:
        """Return the address that signed a receipt. Raises BadReceipt."""
        return recover(signed, self._chain.deployment.chain_id, self._chain.deployment.reliability)

    def _violation_of_signer(self, signed: SignedReceipt, rater: str, submitted_at: int) -> str:
        node = signed.receipt.node
        try:
            signer = self.signer(signed)
        except BadReceipt as error:
            return str(error)
        until = self.key_history(node, signer).wallet_until
        if until == 0:
            return f"the receipt is signed by {signer}, which is not a recorded wallet of node {node}"
        if until != ONGOING and submitted_at > until + GRACE_SECONDS:
            return f"the receipt is signed by {signer}, which was replaced as wallet of node {node} too long ago"
        if signer == rater or _is_insider(self.key_history(node, rater), submitted_at):
            return f"{rater} owns node {node} or signs for it, and would rate itself"
        return ""


def _violation_of_value(receipt: Receipt, value: int) -> str:
    if value == 0 or abs(value) > MAX_VALUE:
        return f"a rating lies between -{MAX_VALUE} and {MAX_VALUE} and is not 0: {value}"
    return "" if 0 <= receipt.node <= MAX_NODE else f"no batch can name node {receipt.node}"


def _violation_of_ticket(receipt: Receipt, rater: str, submitted_at: int) -> str:
    if "0x" + receipt.client.hex() != rater.lower():
        return f"the receipt was issued to 0x{receipt.client.hex()}, not to {rater}"
    if receipt.issued_at > submitted_at + CLOCK_SKEW_SECONDS:
        return "the receipt is from the future"
    return "the receipt has expired" if submitted_at > receipt.issued_at + VALIDITY_SECONDS else ""


def _is_insider(own: KeyPeriods, submitted_at: int) -> bool:
    signed = 0 < own.wallet_since <= submitted_at <= own.wallet_until
    owned = own.owner_since > 0 and own.owner_since + NOTICE_SECONDS <= submitted_at <= own.owner_until
    return signed or owned
