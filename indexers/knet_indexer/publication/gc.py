"""Garbage collection: blocks of old manifests, and vectors of texts that are no longer indexed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from knet.codec import Cid, cid_of
from knet.content.base import get_record
from knet.content.bundle import bundle_blocks
from knet.content.dag import reachable
from knet.errors import BlockNotFound
from knet.records import Manifest, Record, Shard

from ..node import Node
from ..state import State
from . import manifest_log
from .manifest import indexed_space


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
        return delete_unneeded(node, state)


def delete_unneeded(node: Node, state: State, withdrawn: Collection[Cid] = ()) -> GarbageReport:
    """Delete the blocks that neither the last two manifests of a network nor the indexed documents need.

    Of these manifests, shards that list a ``withdrawn`` document are deleted too. Raises as `collect_garbage`.
    """
    space = indexed_space(node, state)
    needed = set(_needed(node, state, frozenset(withdrawn)))
    blocks = size = 0
    for cid in list(node.store):
        if cid not in needed:
            size += node.store.size(cid)
            node.store.delete(cid)
            blocks += 1
    return GarbageReport(blocks=blocks, bytes=size, vectors=state.drop_unused_vectors(cid_of(space)))


def _needed(node: Node, state: State, withdrawn: frozenset[Cid]) -> Iterator[Cid]:
    yield from (text for _, text in state.texts())
    for entry in manifest_log.served(state):
        with suppress(BlockNotFound):
            manifest = get_record(node.store, entry.manifest, Manifest)
            yield from (entry.manifest, manifest.space, manifest.card, *bundle_blocks(node.store, entry.manifest))
            yield from manifest.earlier_blocks
            for model in manifest.dsi_models:
                yield from reachable(node.store, model)
            for ref in manifest.shards:
                with suppress(BlockNotFound):
                    if withdrawn.isdisjoint(get_record(node.store, ref.shard, Shard).documents):
                        yield from reachable(node.store, ref.shard)
