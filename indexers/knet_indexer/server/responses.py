"""Replies about a node's publications: the records of ``/v1/manifest`` and ``/v1/changes``."""

from __future__ import annotations

from knet.codec import Cid
from knet.records import Manifest, Record, ShardRef

from ..publication.manifest_log import Change


class ManifestReply(Record, frozen=True):
    """The published head: ``manifest`` encoded as dag-cbor is the block that ``cid`` names."""

    cid: Cid
    manifest: Manifest


class Version(Record, frozen=True):
    """One published manifest."""

    sequence: int
    manifest: Cid


class ChangesReply(Record, frozen=True, tag_field="type", tag="knet/changes/1"):
    """Changes after ``since``, oldest first (as ResourceSync's change lists, ANSI/NISO Z39.99).

    ``shards`` are the head's, tombstones included: a follower with older ones fetches only the new ones. When ``more``,
    ask again with ``skip`` raised by the number of changes listed.
    """

    node: int
    since: int
    head: Version
    versions: list[Version]
    changes: list[Change]
    shards: list[ShardRef]
    more: bool
