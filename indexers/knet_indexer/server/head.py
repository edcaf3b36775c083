"""The published head that a node answers from: loaded and verified once, replaced as a whole by a newer one."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Container
from hashlib import sha256

import numpy as np

from knet.chain.receipts import sign_receipt
from knet.codec import Cid, encode
from knet.content.base import get_record
from knet.content.bundle import bundle_blocks
from knet.content.dag import reachable
from knet.errors import CodecError, KnetError, SpaceMismatch, TooLarge
from knet.index.collection import Collection, results_root
from knet.index.shard import Vectors
from knet.records import Manifest, Receipt, SearchReply, SearchRequest

from ..disk_index import uses_disk_index
from ..disk_index.index import disk_index_of
from ..ingest.account import Account, last_account
from ..node import Node, network_of
from ..publication import manifest_log
from ..publication.manifest_log import GRACE_MANIFESTS, LoggedManifest
from ..publication.withdrawal import withheld_blocks

MAX_K = 100  # passages by each retriever: a reply is at most about 1 MiB
MAX_QUESTION = 4096  # characters; a model reads their first 256 tokens
MAX_INTEGER = 2**63 - 1  # of SQLite, and of most readers of JSON
LOG_SECONDS = 10.0  # between two log lines on long work

log = logging.getLogger("knet.node")


class PublishedSnapshot:
    """One published manifest, ready to answer. Immutable: a newer one does not disturb requests in progress."""

    def __init__(self, node: Node, entry: LoggedManifest, collection: Collection, blocks: Container[Cid]) -> None:
        self.entry = entry
        self.collection = collection
        self.blocks = blocks  # that the gateway may serve
        self._node = node
        self._deployment = node.profile.deployment

    def answer(self, request: SearchRequest, withheld: Container[Cid] = frozenset()) -> SearchReply:
        """Search, prove and sign, without passages of ``withheld`` documents.

        Raises CodecError, SpaceMismatch or TooLarge for an invalid request.
        """
        found = self.collection.search(request.question, self._vector(request), min(request.k, MAX_K))
        if withheld:
            shards = self.collection.shards
            found = [hit for hit in found if shards[hit.shard].document(hit.chunk)[0] not in withheld]
        documents, hits, leaves = self.collection.prove(found)
        receipt = Receipt(
            node=self.entry.node,
            manifest=self.entry.manifest.digest,
            query=sha256(encode(request)).digest(),
            results=results_root(leaves, request.salt),
            client=request.client,
            issued_at=int(time.time()),
            nonce=secrets.token_bytes(32),
        )
        signed = sign_receipt(self._node.signer, receipt, self._deployment.chain_id, self._deployment.reliability)
        return SearchReply(manifest=self.entry.manifest, documents=documents, hits=hits, receipt=signed)

    def _vector(self, request: SearchRequest) -> Vectors:
        if not request.vector:
            return self._embed(request.question)
        if request.space != self.collection.manifest.space:
            raise SpaceMismatch(
                f"the query vector is in space {request.space}, the node is in {self.collection.manifest.space}."
            )
        size = 4 * self.collection.space.dimension
        if len(request.vector) != size:
            raise CodecError(f"the query vector has {len(request.vector)} bytes instead of {size}.")
        vector = np.frombuffer(request.vector, "<f4")
        if not np.isfinite(vector).all():
            raise CodecError("the query vector holds a value that is not a number.")
        return vector

    def _embed(self, question: str) -> Vectors:
        embedder = self._node.embedder
        if embedder.space != self.collection.space:
            raise SpaceMismatch("this node is moving to another model.", hint="Send the question with its vector.")
        vector: Vectors = embedder.encode([question], query=True)[0]
        return vector


def check_request(request: SearchRequest) -> None:
    """Refuse an invalid request before any work. Raises CodecError or TooLarge."""
    if len(request.question) > MAX_QUESTION:
        raise TooLarge(f"the question has {len(request.question)} characters; {MAX_QUESTION} are allowed.")
    if not request.question.strip():
        raise CodecError("the question is empty.")
    if len(request.client) != 20 or len(request.salt) != 16:
        raise CodecError("client must have 20 bytes and salt 16.")
    if not 1 <= request.k <= MAX_INTEGER:
        raise CodecError("k must be at least 1, and a signed integer of 64 bits.")


class HeadWatcher:
    """The snapshot that is served now, replaced by `refresh`."""

    def __init__(self, node: Node, on_change: Callable[[PublishedSnapshot], None]) -> None:
        self._node = node
        self._on_change = on_change
        self.current: PublishedSnapshot | None = None
        self.withheld: frozenset[Cid] = frozenset()  # forgotten documents and texts that the head may still name
        self.account: Account | None = None  # of the last sync
        self._logged_at = float("-inf")

    def refresh(self) -> None:
        """Load the newest published manifest if it is not served yet. Keeps the old one on any error."""
        try:
            with self._node.open_state() as state:
                self.withheld = withheld_blocks(state)
                self.account = last_account(state)
                entries = manifest_log.latest(state, network_of(self._node), GRACE_MANIFESTS)
            if entries and (self.current is None or self.current.entry.id != entries[0].id):
                self.current = self._load(entries)
                self._on_change(self.current)
        except KnetError as error:
            log.error("node %s: the newest manifest cannot be served: %s", self._node.name, error)

    def _load(self, entries: list[LoggedManifest]) -> PublishedSnapshot:
        store = self._node.store
        known = [(entry.manifest, get_record(store, entry.manifest, Manifest)) for entry in entries]
        listed = {ref.shard for _, manifest in known if manifest.access == "public" for ref in manifest.shards}
        needed = {ref.shard for ref in known[0][1].shards}
        shards = {shard for shard in listed if shard in needed or store.has(shard)}  # others hold withdrawn text
        others = frozenset(
            block for cid, manifest in known for block in _blocks_beside_shards(self._node, cid, manifest)
        )
        cid, head = known[0]
        if uses_disk_index(head.chunks):
            collection, blocks = disk_index_of(self._node).open(cid, shards, others, self._log_progress)
            return PublishedSnapshot(self._node, entries[0], collection, blocks)
        collection = Collection.load(store, cid, index=self._node.index)
        return PublishedSnapshot(
            self._node, entries[0], collection, others.union(*(reachable(store, shard) for shard in shards))
        )

    def _log_progress(self, phase: str, done: int, total: int) -> None:
        """Log why nothing is served yet: publication leaves an index ready, but here one is being built."""
        if time.monotonic() - self._logged_at >= LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.warning(
                "node %s: building the search index, %d of %d passages (%s)", self._node.name, done, total, phase
            )


def _blocks_beside_shards(node: Node, cid: Cid, manifest: Manifest) -> list[Cid]:
    """Return the blocks of a manifest except its shards; of a collection that is not public, only those for routing."""
    others = [cid, manifest.space, manifest.card]
    if manifest.access != "public":
        return others
    models = [block for model in manifest.dsi_models for block in reachable(node.store, model)]
    return [*others, *bundle_blocks(node.store, cid), *manifest.earlier_blocks, *models]
