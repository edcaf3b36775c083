"""The change feed: which documents came and went with each manifest."""

from __future__ import annotations

from . import ledger
from .head import Served
from .ledger import Change
from .node import Node
from .views import ChangesReply, Version

MAX_CHANGES = 5000  # a page of about 1 MiB; a single manifest with more is sent whole


def changes_since(node: Node, served: Served, sequence: int) -> ChangesReply:
    """What the node published after ``sequence`` and up to the head it serves."""
    head = served.entry
    versions: list[Version] = []
    changes: list[Change] = []
    with node.open_state() as state:
        entries = [entry for entry in ledger.since(state, head, sequence) if entry.id <= head.id]
        for entry in entries:
            if len(changes) >= MAX_CHANGES:
                break
            versions.append(Version(sequence=entry.sequence, manifest=entry.manifest))
            changes += ledger.changes(state, entry)
    return ChangesReply(
        node=head.node,
        since=sequence,
        head=Version(sequence=head.sequence, manifest=head.manifest),
        versions=versions,
        changes=changes,
        shards=served.collection.manifest.shards,
        more=len(versions) < len(entries),
    )
