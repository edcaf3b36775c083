"""Batches of ratings: leaves in the order of their nodes with running sums, their Merkle tree and their blocks.

On chain many ratings of one node cost as much as one. An auditor that fetches the blocks can check all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..chain.batches import MAX_NODES, MAX_RATINGS, Batch, Delta, Leaf, LeafProof, hash_of_leaf
from ..codec import Cid, block_of
from ..content.base import BlockSource, BlockStore, PinningStore, get_record, put_record
from ..errors import CodecError
from ..limits import Links, Many
from ..merkle import Tree
from ..records import Rating, Record

LEAVES_PER_BLOCK = 2000  # about 700 KB: under the 1 MiB that every IPFS implementation carries


class RatingBlock(Record, frozen=True, tag_field="type", tag="knet/ratings/1"):
    """A run of a batch's leaves."""

    leaves: Many[Leaf]


class RatingIndex(Record, frozen=True, tag_field="type", tag="knet/rating-batch/1"):
    """The blocks of a batch in order. Its CID is the batch's ``content`` on chain."""

    blocks: Links


class RatingBatch(Record, frozen=True):
    """A batch before it is sent: at most 256 nodes and 65,536 ratings."""

    leaves: list[Leaf]
    deltas: list[Delta]
    root: bytes
    content: Cid

    @property
    def weight(self) -> int:
        """Influence that the batch uses, in hundredths."""
        return sum(delta.positive + delta.negative for delta in self.deltas)


def build_batch(ratings: Iterable[Rating]) -> RatingBatch:
    """Return the batch of these ratings, each receipt once. Raises BadReceipt for fields that do not fit."""
    by_node: dict[int, list[Rating]] = {}
    for rating in ratings:
        by_node.setdefault(rating.receipt.receipt.node, []).append(rating)
    leaves: list[Leaf] = []
    deltas: list[Delta] = []
    for node, own in sorted(by_node.items()):
        positive = negative = 0
        for rating in own:
            positive, negative = positive + max(rating.value, 0), negative + max(-rating.value, 0)
            leaves.append(Leaf(receipt=rating.receipt, value=rating.value, positive=positive, negative=negative))
        deltas.append(Delta(node=node, positive=positive, negative=negative, count=len(own)))
    index, _ = _blocks(leaves)
    return RatingBatch(leaves=leaves, deltas=deltas, root=tree_of(leaves).root, content=block_of(index)[0])


def fit_to_budget(ratings: Sequence[Rating], influence: int) -> list[Rating]:
    """Return the first ratings that fit into one batch and this much influence (hundredths)."""
    chosen: list[Rating] = []
    nodes: set[int] = set()
    for rating in ratings[:MAX_RATINGS]:
        influence -= abs(rating.value)
        nodes.add(rating.receipt.receipt.node)
        if influence < 0 or len(nodes) > MAX_NODES:
            break
        chosen.append(rating)
    return chosen


def publish_batch(batch: RatingBatch, store: BlockStore) -> None:
    """Store the batch's blocks, so that auditors can read its ratings. Raises StoreError."""
    index, blocks = _blocks(batch.leaves)
    for block in (*blocks, index):
        put_record(store, block)
    if isinstance(store, PinningStore):
        store.pin(batch.content)


def fetch_leaves(batch: Batch, source: BlockSource) -> list[Leaf]:
    """Fetch the leaves of a batch and compare them with its root.

    Raises CodecError when the leaves do not match the root, and what `BlockSource.get` raises.
    """
    index = get_record(source, batch.content, RatingIndex)
    if len(index.blocks) > MAX_RATINGS // LEAVES_PER_BLOCK + 1:
        raise CodecError(f"Batch {batch.number} of {batch.rater}: its ratings fill {len(index.blocks)} blocks.")
    leaves = [leaf for cid in index.blocks for leaf in get_record(source, cid, RatingBlock).leaves]
    if len(leaves) != batch.size or tree_of(leaves).root != batch.root:
        raise CodecError(f"Batch {batch.number} of {batch.rater}: the published ratings do not match its root.")
    return leaves


def tree_of(leaves: Iterable[Leaf]) -> Tree:
    """Return the Merkle tree of a batch. Raises BadReceipt for fields that do not fit."""
    return Tree([hash_of_leaf(leaf) for leaf in leaves])


def prove(leaves: Sequence[Leaf], tree: Tree, index: int) -> LeafProof:
    """Return one leaf with the proof that it is in the batch."""
    return LeafProof(index=index, leaf=leaves[index], path=tree.path(index))


def _blocks(leaves: list[Leaf]) -> tuple[RatingIndex, list[RatingBlock]]:
    blocks = list(_runs(leaves))
    return RatingIndex(blocks=[block_of(block)[0] for block in blocks]), blocks


def _runs(leaves: list[Leaf]) -> Iterator[RatingBlock]:
    for start in range(0, len(leaves), LEAVES_PER_BLOCK):
        yield RatingBlock(leaves=leaves[start : start + LEAVES_PER_BLOCK])
