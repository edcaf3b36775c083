"""Audit of batches: checks every rating and challenges a wrong one, for which the auditor earns half the bond."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from ..chain.batches import Batch, Leaf, LeafProof, adds_up, first_wrong_sum
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..codec import Cid, cid_of
from ..content.base import BlockSource
from ..errors import BadReceipt, CodecError, ContentError, TransportError
from ..merkle import Tree
from ..records import Record
from .batch import fetch_leaves, prove, tree_of
from .rules import CLOCK_SKEW_SECONDS, VALIDITY_SECONDS, RatingRules

SourceOf = Callable[[Batch], BlockSource]
UNREADABLE = (ContentError, TransportError, CodecError, BadReceipt)  # leaves that are missing or not what was committed


class Finding(Record, frozen=True):
    """The first provable violation in a batch, with its proof.

    ``kind`` is "leaf" (``proofs`` holds that leaf), "sum" (two neighbours), "duplicate" (two leaves, the second in
    ``other``), or "withheld": the ratings cannot be fetched or do not match the root, and the availability of leaf
    ``index`` should be challenged.
    """

    batch: Batch
    kind: Literal["leaf", "sum", "duplicate", "withheld"]
    reason: str
    index: int = 0
    proofs: list[LeafProof] = []
    other: Batch | None = None

    @classmethod
    def withheld(cls, batch: Batch, reason: str) -> Finding:
        """Return the finding for leaves that cannot be read. The leaf to ask for is random: a rater that knew which
        leaf is asked for would publish that one, and hide the others."""
        return cls(batch=batch, kind="withheld", reason=reason, index=secrets.randbelow(batch.size))


def audit_batch(
    chain: EvmChain, source: BlockSource | SourceOf, batch: Batch, earlier: Sequence[Batch] = ()
) -> Finding | None:
    """Fetch the ratings behind a batch and check each. Return the first fault that the contract accepts, or None.

    ``source`` has the blocks of the leaves, or returns their source for a batch. ``earlier`` are batches of the same
    rater that may have used the same receipts; those that took place more than a receipt's validity before cannot
    have, and those that cannot be fetched are passed over.
    """
    source_of = source if callable(source) else lambda batch: source
    try:
        leaves = fetch_leaves(batch, source_of(batch))
    except UNREADABLE as error:
        return Finding.withheld(batch, str(error))
    found = audit_leaves(RatingRules(chain), batch, leaves)
    return found or _duplicate(batch, leaves, _readable(batch, earlier, source_of))


def audit_leaves(rules: RatingRules, batch: Batch, leaves: list[Leaf]) -> Finding | None:
    """Return the first fault of a batch by its own leaves, or None."""
    tree = tree_of(leaves)
    return (
        _wrong_sum(batch, leaves, tree)
        or _duplicate(batch, leaves, [(batch, leaves)])
        or _wrong_leaf(rules, batch, leaves, tree)
    )


def find_duplicate(batch: Batch, leaves: list[Leaf], other: Batch, others: list[Leaf]) -> Finding | None:
    """Return a proof that two batches of one rater use the same receipt, or None."""
    return _duplicate(batch, leaves, [(other, others)])


def challenge(chain: EvmChain, signer: Signer, finding: Finding) -> str:
    """Submit the proof of a finding, or challenge the availability of a withheld leaf; return the transaction hash.

    Raises TransactionFailed when the contract refuses it, the window is over, or another auditor was faster.
    """
    batch, proofs = finding.batch, finding.proofs
    if finding.kind == "withheld":
        return chain.reliability.challenge_availability(signer, batch, finding.index)
    if finding.kind == "leaf":
        return chain.reliability.challenge_leaf(signer, batch, proofs[0])
    if finding.kind == "sum":
        return chain.reliability.challenge_sum(signer, batch, proofs[0], proofs[1])
    return chain.reliability.challenge_duplicate(signer, batch, proofs[0], finding.other or batch, proofs[1])


def _wrong_sum(batch: Batch, leaves: list[Leaf], tree: Tree) -> Finding | None:
    for delta, start, stop in batch.spans():
        for index in range(start, stop):
            if leaves[index].receipt.receipt.node != delta.node:
                reason = f"leaf {index} is about node {leaves[index].receipt.receipt.node}, not node {delta.node}"
                return Finding(batch=batch, kind="leaf", reason=reason, proofs=[prove(leaves, tree, index)])
        last = leaves[stop - 1]
        reason = f"the ratings of node {delta.node} do not add up to the batch's delta"
        if not adds_up(None, leaves[start]):
            return Finding(batch=batch, kind="leaf", reason=reason, proofs=[prove(leaves, tree, start)])
        if (last.positive, last.negative) != (delta.positive, delta.negative):
            return Finding(batch=batch, kind="leaf", reason=reason, proofs=[prove(leaves, tree, stop - 1)])
        wrong = first_wrong_sum(leaves, start, stop)
        if wrong is not None:
            proofs = [prove(leaves, tree, wrong - 1), prove(leaves, tree, wrong)]
            return Finding(batch=batch, kind="sum", reason=reason, proofs=proofs)
    return None


def _wrong_leaf(rules: RatingRules, batch: Batch, leaves: list[Leaf], tree: Tree) -> Finding | None:
    for index, leaf in enumerate(leaves):
        reason = rules.leaf_violation(leaf, batch.rater, batch.submitted_at)
        if reason:
            return Finding(batch=batch, kind="leaf", reason=reason, proofs=[prove(leaves, tree, index)])
    return None


def _duplicate(batch: Batch, leaves: list[Leaf], others: Iterable[tuple[Batch, list[Leaf]]]) -> Finding | None:
    own = {key: index for index, key in reversed(list(enumerate(map(_key, leaves))))}
    for other, their_leaves in others:
        for index, key in enumerate(map(_key, their_leaves)):
            if key not in own or (other == batch and own[key] == index):
                continue
            proofs = [prove(leaves, tree_of(leaves), own[key]), prove(their_leaves, tree_of(their_leaves), index)]
            reason = f"a receipt of node {leaves[own[key]].receipt.receipt.node} was used for two ratings"
            return Finding(batch=batch, kind="duplicate", reason=reason, proofs=proofs, other=other)
    return None


def _readable(batch: Batch, others: Sequence[Batch], source_of: SourceOf) -> Iterator[tuple[Batch, list[Leaf]]]:
    reach = VALIDITY_SECONDS + CLOCK_SKEW_SECONDS
    for other in others:
        near = abs(other.submitted_at - batch.submitted_at) <= reach
        if other.rater == batch.rater and other.number != batch.number and near:
            try:
                yield other, fetch_leaves(other, source_of(other))
            except UNREADABLE:
                continue


def _key(leaf: Leaf) -> Cid:
    return cid_of(leaf.receipt.receipt)
