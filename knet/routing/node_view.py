"""View of one node: its entry on chain, and the manifest and routing card that the entry names by CID."""

from __future__ import annotations

import time
from functools import cached_property

from msgspec.structs import replace

from ..codec import Cid
from ..content.base import BlockSource, get_record
from ..errors import KnetError
from ..index.card_format import check_shape, has_current_terms, read_centroids, read_df, read_spreads
from ..index.shard import Vectors
from ..records import Card, Manifest, NodeEntry, Reputation, Space

GRACE_SECONDS = 60.0  # in which the head before the last is still taken: replies cross with publications


class NodeView:
    """One node as a client routes to it: its entry, head manifest, card and space, and its reliability."""

    def __init__(self, entry: NodeEntry, manifest: Manifest, card: Card, space: Space) -> None:
        self.entry = entry
        self.manifest = manifest
        self.card = card
        self.space = space
        # Terms of another version of the analyser match none of ours: such a node is found by its vectors alone.
        self.lexical_card = card if has_current_terms(card) else replace(card, terms=b"", df=b"", places=b"")
        self.reputation = Reputation()
        self.earlier: dict[Cid, Manifest] = {}  # the head before this one, while its grace lasts
        self.learnt = time.time()  # when this client came to know the head: it may have been long in settling

    @cached_property
    def centroids(self) -> Vectors:
        """``(n, dimension)`` float32, unit length."""
        return read_centroids(self.card, self.space)

    @cached_property
    def df(self) -> dict[int, int]:
        """Document frequency by term hash, from the card."""
        return read_df(self.lexical_card)

    @cached_property
    def spreads(self) -> Vectors:
        """``(n,)`` mean cosine of each centroid with its chunks."""
        return read_spreads(self.card)

    def manifest_for(self, cid: Cid) -> Manifest | None:
        """Return the manifest that a reply may be from: the head, or the one before it within the grace window."""
        if self.entry.head is not None and cid == self.entry.head.manifest:
            return self.manifest
        return self.earlier.get(cid) if in_grace(self.learnt) else None

    def remember(self, before: NodeView | None) -> None:
        """Keep the head before this one, from the earlier view."""
        if before is not None and behind(before, self.entry) == 0:  # moved, or has another wallet
            self.earlier, self.learnt = before.earlier, before.learnt
        elif before is not None and before.entry.head is not None and behind(before, self.entry) == 1:
            self.earlier = {before.entry.head.manifest: before.manifest}


def load_view(entry: NodeEntry, source: BlockSource) -> NodeView | str:
    """Return a published node's view, or the reason it cannot be asked. Never raises for what a node published."""
    assert entry.head is not None
    try:
        manifest = get_record(source, entry.head.manifest, Manifest)
        if manifest.node != entry.node or manifest.sequence != entry.head.sequence:
            return f"its head {entry.head.manifest} is a manifest of node {manifest.node}, not its own"
        card = get_record(source, manifest.card, Card)
        space = get_record(source, manifest.space, Space)
        check_shape(manifest, card, space)
        return NodeView(entry, manifest, card, space)
    except KnetError as error:
        return str(error)
    except ValueError as error:
        return f"its card {manifest.card} cannot be true: {error}."


def in_grace(learnt: float) -> bool:
    """Return True if a head is so new (``learnt``, unix seconds) that its node may still serve the one before."""
    return time.time() - learnt <= GRACE_SECONDS


def behind(view: NodeView, entry: NodeEntry) -> int:
    """Return the number of publications that a view is behind an entry."""
    assert view.entry.head is not None
    assert entry.head is not None
    return entry.head.sequence - view.entry.head.sequence
