"""Blocks of the chain in which nodes first published the texts of their hits.

A hit is at least as old as its manifest, whose block on chain the client knows. A node that published it before proves
that by its manifest (`knet.first_published`), and the chain must show that the earlier manifest was the node's head in
the named block. A claim that does not hold, or cannot be checked now, makes no text older.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from hashlib import sha256
from threading import Lock

from msgspec.structs import replace

from ..codec import DAG_CBOR, Cid, decode
from ..content.base import BlockSource, get_record
from ..errors import KnetError
from ..first_published import EarlierLeaves, EarlierRoot
from ..merkle import Tree, leaf_hash
from ..records import Leaf, Manifest, ShardRef
from ..routing.node_view import NodeView
from .copies import contested
from .private import in_thread
from .verify_reply import VerifiedHit

MAX_EARLIER = 16  # roots of a shard that are looked at
LOOKUP_SECONDS = 3.0  # a question waits no longer for proofs of earlier publication
MAX_KNOWN = 10_000  # publications that are remembered: a megabyte

PublishedIn = Callable[[int, int], Sequence[Cid]]  # the manifests of a node that one block of the chain made its head


class FirstPublished:
    """Reader of proofs of earlier publication. Safe to use from several threads."""

    def __init__(self, published_in: PublishedIn) -> None:
        self._published_in = published_in
        self._lock = Lock()
        self._known: dict[tuple[int, int, Cid], bool] = {}

    def dated(
        self,
        hits: Sequence[VerifiedHit],
        views: Mapping[int, NodeView],
        source_for: Callable[[NodeView], BlockSource],
    ) -> tuple[list[VerifiedHit], frozenset[int]]:
        """Return the hits with the blocks of their first publication, and the indices of those for which it matters.

        Only texts that hits of other nodes copy, or that copy those, are looked up, for `LOOKUP_SECONDS` at most.
        """
        found = contested(hits)
        work = {}
        for node in {hits[index].node for index in found}:
            view = views[node]
            own = [index for index in found if hits[index].node == node and _ref(view, hits[index]).earlier_roots]
            if own:
                work[in_thread(partial(self._blocks, view, [hits[index] for index in own], source_for(view)))] = own
        dated = list(hits)
        for future in wait(work, LOOKUP_SECONDS).done:
            with suppress(KnetError):
                for index, block in zip(work[future], future.result(), strict=True):
                    dated[index] = replace(hits[index], block=block)
        return dated, found

    def _blocks(self, view: NodeView, hits: Sequence[VerifiedHit], source: BlockSource) -> list[int]:
        assert view.entry.head is not None
        last = view.entry.head.block
        return [self.block_of(hit.node, _ref(view, hit), hit.hit.text, last, source) for hit in hits]

    def block_of(self, node: int, ref: ShardRef, text: str, last: int, source: BlockSource) -> int:
        """Return the block of the first manifest that is proven to hold a text of a shard; by default ``last``.

        ``last`` is the block of the manifest that ``ref`` is from. Raises ChainError.
        """
        digest = sha256(text.encode()).digest()
        for earlier in sorted(ref.earlier_roots, key=lambda each: each.block)[:MAX_EARLIER]:
            if not 0 <= earlier.block < last:
                continue
            with suppress(KnetError):
                if self._holds(ref, earlier, digest, source):
                    return earlier.block if self._was_head(node, earlier, source) else last
        return last

    def _holds(self, ref: ShardRef, earlier: EarlierRoot, digest: bytes, source: BlockSource) -> bool:
        """Return True if a text is under the earlier root. Raises as `get_record`."""
        if earlier.leaves is None:
            return earlier.root == ref.root
        known = get_record(source, earlier.leaves, EarlierLeaves)
        leaf = next((block for block in known.leaves if decode(block, Leaf).text == digest), None)
        hashes = [known.hashes[at : at + 32] for at in range(0, len(known.hashes), 32)]
        return leaf is not None and leaf_hash(leaf) in hashes and Tree(hashes).root == earlier.root

    def _was_head(self, node: int, earlier: EarlierRoot, source: BlockSource) -> bool:
        """Return True if the earlier manifest holds the root, and was the node's head in the block."""
        manifest = get_record(source, earlier.manifest, Manifest)
        if manifest.node != node or all(each.root != earlier.root for each in manifest.shards):
            return False
        key = node, earlier.block, Cid.from_digest(earlier.manifest.digest, DAG_CBOR)
        if key not in self._known:
            published = self._published_in(node, earlier.block)
            with self._lock:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[key] = key[2] in published
        return self._known[key]


def _ref(view: NodeView, hit: VerifiedHit) -> ShardRef:
    manifest = view.manifest_for(hit.manifest) or view.manifest
    return manifest.shards[hit.hit.shard]
