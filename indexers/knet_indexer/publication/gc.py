"""Garbage collection: blocks of old manifests, and vectors of texts that are no longer indexed."""

from __future__ import annotations

from knet.codec import cid_of
from knet.content.bundle import bundle_blocks
from knet.content.dag import reachable
from knet.records import Record

from ..node import Node
from . import manifest_log
from .manifest import indexed_space
from .manifest_log import GRACE_MANIFESTS


class GarbageReport(Record, frozen=True):
    """The numbers of deleted blocks, bytes and vectors."""

    blocks: int
    bytes: int
    vectors: int


def collect_garbage(node: Node) -> GarbageReport:
    """Delete every block except those of the last two manifests and the texts of indexed documents.

    Raises NodeBusy, IndexerError while a sync is unfinished, and StoreError.
    """
    with node.lock("gc"), node.open_state() as state:
        space = indexed_space(node, state)
        needed = {text for _, text in state.texts()}
        for entry in manifest_log.latest(state, count=GRACE_MANIFESTS):
            needed.update(reachable(node.store, entry.manifest), bundle_blocks(node.store, entry.manifest))
        blocks = size = 0
        for cid in list(node.store):
            if cid not in needed:
                size += len(node.store.get(cid))
                node.store.delete(cid)
                blocks += 1
        return GarbageReport(blocks=blocks, bytes=size, vectors=state.drop_unused_vectors(cid_of(space)))
