"""Records by which a manifest proves that its node published texts before.

A shard keeps its Merkle root from manifest to manifest, so a root that an earlier manifest holds proves the age of all
its chunks. Where chunks move to another shard, by compaction or since their document changed, the hashes of the
earlier shard prove that a chunk with the same text was there. The chain gives the block of the earlier manifest.
"""

from __future__ import annotations

from .codec import Cid
from .limits import BlockBytes, Many, ShortBytes
from .record import Record


class EarlierRoot(Record, frozen=True):
    """The root of a shard in the first manifest that held it.

    ``manifest`` is that manifest's block under its raw CID, so that walks of links do not follow it into the history.
    """

    manifest: Cid
    block: int  # in which the chain recorded it as the node's head
    root: ShortBytes
    leaves: Cid | None = None  # of `EarlierLeaves`; None if it is the root of the shard itself


class EarlierLeaves(Record, frozen=True, tag_field="type", tag="knet/earlier/1"):
    """The leaf hashes (32 bytes each) of an earlier shard, and the leaves of those texts that are in a newer one."""

    hashes: BlockBytes
    leaves: Many[BlockBytes]  # `knet.records.Leaf` blocks
