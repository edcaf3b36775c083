"""One root to pin for everything a manifest needs, and nothing of the manifests before it.

A manifest links to its predecessor, and whoever pins a root keeps all that it leads to: pinning manifests would mean
keeping, and first having, every version there ever was. A bundle leads to the manifest as a raw block, which leads
nowhere, and to its parts. IPFS keeps blocks by hash, so the manifest is found under its own CID all the same.
"""

from __future__ import annotations

from ..codec import RAW, Cid, encode
from ..records import Manifest, Record
from .base import BlockStore, get_record, put_record


class Bundle(Record, frozen=True, tag_field="type", tag="knet/bundle/1"):
    """What a node's owner pins. ``parts`` are the manifest's space, card, shards and De-DSI models."""

    manifest: Cid
    parts: list[Cid]


def put_bundle(store: BlockStore, manifest: Cid) -> Cid:
    """The bundle of a manifest that ``store`` holds. Raises as `get_record`, and StoreError."""
    record = get_record(store, manifest, Manifest)
    raw = store.put(encode(record), RAW)
    parts = [record.space, record.card, *(ref.shard for ref in record.shards), *record.dsi_models]
    return put_record(store, Bundle(manifest=raw, parts=parts))


def bundle_blocks(store: BlockStore, manifest: Cid) -> list[Cid]:
    """The blocks that a bundle adds to what its manifest leads to: the manifest as a raw block, and the bundle."""
    root = put_bundle(store, manifest)
    return [get_record(store, root, Bundle).manifest, root]
