"""The change feed: documents added and removed by each manifest."""

from __future__ import annotations

from ..node import Node
from ..publication import manifest_log
from .head import PublishedSnapshot
from .responses import ChangesReply, Version

MAX_CHANGES = 5000  # a page of about 1 MiB


def changes_since(node: Node, snapshot: PublishedSnapshot, sequence: int, skip: int) -> ChangesReply:
    """Return the changes after ``sequence`` and up to the snapshot head, without the first ``skip``."""
    head = snapshot.entry
    with node.open_state() as state:
        entries = [entry for entry in manifest_log.since(state, head, sequence) if entry.id <= head.id]
        found = manifest_log.changes(state, head, sequence, skip, MAX_CHANGES + 1)
        before = manifest_log.changes(state, head, sequence, skip - 1, 1) if skip else []
    changes, more = found[:MAX_CHANGES], len(found) > MAX_CHANGES
    continues = bool(before and changes) and before[0].sequence == changes[0].sequence
    first = before[0].sequence + (not continues) if before else sequence
    last = changes[-1].sequence if more else head.sequence
    return ChangesReply(
        node=head.node,
        since=sequence,
        head=Version(sequence=head.sequence, manifest=head.manifest),
        versions=[
            Version(sequence=entry.sequence, manifest=entry.manifest)
            for entry in entries
            if first <= entry.sequence <= last
        ],
        changes=changes,
        shards=snapshot.collection.manifest.shards,
        more=more,
    )
