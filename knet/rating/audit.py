"""Audit of batches: checks every rating and challenges a wrong one, for which the auditor earns half the bond."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
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


def audit_batch(chain: EvmChain, source: BlockSource, batch: Batch, earlier: Sequence[Batch] = ()) -> Finding | None:
    """Fetch and check the ratings of a batch; return the first violation that the contract will accept, or None.

    ``earlier`` are batches of the same rater that may have used the same receipts. Those older than a receipt's
    validity cannot have, and those that cannot be fetched are skipped.
    """
    try:
        leaves = fetch_leaves(batch, source)
    except (ContentError, TransportError, CodecError, BadReceipt) as error:
        # A rater that could predict the leaf would have that leaf right, and hide the others.
        index = secrets.randbelow(batch.size)
        return Finding(batch=batch, kind="withheld", reason=str(error), index=index)
    tree = tree_of(leaves)
    found = _wrong_sum(batch, leaves, tree) or _duplicate(batch, leaves, tree, [(batch, leaves)])
    found = found or _wrong_leaf(RatingRules(chain), batch, leaves, tree)
    return found or _duplicate(batch, leaves, tree, _readable(batch, earlier, source))


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


def _duplicate(
    batch: Batch, leaves: list[Leaf], tree: Tree, others: Iterable[tuple[Batch, list[Leaf]]]
) -> Finding | None:
    own = {key: index for index, key in reversed(list(enumerate(map(_key, leaves))))}
    for other, their_leaves in others:
        for index, key in enumerate(map(_key, their_leaves)):
            if key not in own or (other == batch and own[key] == index):
                continue
            proofs = [prove(leaves, tree, own[key]), prove(their_leaves, tree_of(their_leaves), index)]
            reason = f"a receipt of node {leaves[own[key]].receipt.receipt.node} was used for two ratings"
            return Finding(batch=batch, kind="duplicate", reason=reason, proofs=proofs, other=other)
    return None


def _readable(batch: Batch, others: Sequence[Batch], source: BlockSource) -> Iterator[tuple[Batch, list[Leaf]]]:
    reach = VALIDITY_SECONDS + CLOCK_SKEW_SECONDS
    for other in others:
        near = abs(other.submitted_at - batch.submitted_at) <= reach
        if other.rater == batch.rater and other.number != batch.number and near:
            try:
                yield other, fetch_leaves(other, source)
            except (ContentError, TransportError, CodecError, BadReceipt):
                continue


def _key(leaf: Leaf) -> Cid:
    return cid_of(leaf.receipt.receipt)
