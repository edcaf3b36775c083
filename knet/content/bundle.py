"""Pinning root for one manifest and its parts, without the earlier manifests.

A pin keeps everything that its root links to, and a manifest links to its predecessor. A pin on a manifest would
therefore fetch and keep every earlier version. A bundle links to the manifest as a raw block, whose links IPFS does not
follow, and to the manifest's parts. IPFS stores blocks by hash, so the manifest is also found under its own CID.
"""

from __future__ import annotations

from ..codec import RAW, Cid, encode
from ..limits import Links
from ..records import Manifest, Record
from .base import BlockStore, get_record, put_record


class Bundle(Record, frozen=True, tag_field="type", tag="knet/bundle/1"):
    """Record that a node's owner pins.

    ``parts`` are the manifest's space, card, shards, De-DSI models and proofs of age.
    """

    manifest: Cid
    parts: Links


def put_bundle(store: BlockStore, manifest: Cid) -> Cid:
    """Store the bundle of a manifest that ``store`` holds; return its CID. Raises as `get_record`, and StoreError."""
    record = get_record(store, manifest, Manifest)
    raw = store.put(encode(record), RAW)
    shards = (ref.shard for ref in record.shards)
    parts = [record.space, record.card, *shards, *record.dsi_models, *record.earlier_blocks]
    return put_record(store, Bundle(manifest=raw, parts=parts))


def bundle_blocks(store: BlockStore, manifest: Cid) -> list[Cid]:
    """Return the blocks that a bundle adds to those of its manifest: the manifest as a raw block, and the bundle."""
    root = put_bundle(store, manifest)
    return [get_record(store, root, Bundle).manifest, root]
