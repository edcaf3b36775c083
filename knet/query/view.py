"""What the client knows of the network: nodes from chain events, their manifests and routing cards by CID.

Everything here can be rebuilt from the chain; the copy on disk only saves the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from ..chain.base import Chain, Directory
from ..codec import Cid, from_json, to_json
from ..config import write_atomically
from ..content.base import BlockSource, get_record
from ..errors import CodecError, KnetError
from ..index.shard import Vectors
from ..records import VECTOR_DTYPE, Card, Manifest, NodeEntry, Reputation, Space

REFRESH_SECONDS = 5.0  # how old the chain's word may be before it is asked again in the background
GRACE_SECONDS = 60.0  # how long the head before the last is still taken: replies cross with publications
FETCHERS = 16  # manifests and cards are fetched side by side

SourceFor = Callable[[NodeEntry], BlockSource]


class NodeView:
    """One node, ready to be routed to: its entry, head manifest, card and space, and its reliability."""

    def __init__(self, entry: NodeEntry, manifest: Manifest, card: Card, space: Space) -> None:
        self.entry = entry
        self.manifest = manifest
        self.card = card
        self.space = space
        self.reputation = Reputation()
        self.earlier: dict[Cid, Manifest] = {}  # the head before this one, while its grace lasts

    @cached_property
    def centroids(self) -> Vectors:
        """``(n, dimension)`` float32, unit length."""
        rows: Vectors = np.frombuffer(self.card.centroids, VECTOR_DTYPE).reshape(-1, self.space.dimension).astype("f4")
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit

    @cached_property
    def df(self) -> dict[int, int]:
        """Document frequency by term hash, as the card tells it."""
        return dict(
            zip(
                np.frombuffer(self.card.terms, "<u4").tolist(),
                np.frombuffer(self.card.df, "<u4").tolist(),
                strict=True,
            )
        )

    def manifest_for(self, cid: Cid) -> Manifest | None:
        """The manifest a reply may speak for: the head, or the one before it within the grace window."""
        head = self.entry.head
        if head is not None and cid == head.manifest:
            return self.manifest
        if head is not None and time.time() - head.time <= GRACE_SECONDS:
            return self.earlier.get(cid)
        return None


class NetworkView:
    """Every node that can be asked, kept up to date from the chain. Safe to use from several threads."""

    def __init__(self, chain: Chain, source_for: SourceFor, cache: Path) -> None:
        self._chain = chain
        self._source_for = source_for
        self._cache = cache
        self._directory = self._read_cache()
        self._lock = threading.Lock()
        self._refreshed = 0.0
        self._background: threading.Thread | None = None
        self.nodes: dict[int, NodeView] = {}
        self.unusable: dict[int, str] = {}  # node -> why it cannot be asked

    def _read_cache(self) -> Directory | None:
        try:
            return from_json(self._cache.read_bytes(), Directory)
        except (OSError, CodecError):
            return None

    def current(self) -> dict[int, NodeView]:
        """The nodes, asking the chain first if it was never asked, or in the background if that was a while ago."""
        age = time.monotonic() - self._refreshed
        if not self._refreshed:
            self.refresh()
        elif age > REFRESH_SECONDS and (self._background is None or not self._background.is_alive()):
            self._background = threading.Thread(target=self._refresh_quietly, daemon=True, name="knet-refresh")
            self._background.start()
        return self.nodes

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except KnetError:  # the chain is away: go on with what is known; a reply from a newer head is then refused
            self._refreshed = time.monotonic()

    def refresh(self) -> None:
        """Read the chain's events and reliabilities, and fetch what changed. Raises ChainUnreachable."""
        with self._lock:
            directory = self._chain.directory(self._directory)
            if directory != self._directory:
                self._directory = directory
                write_atomically(self._cache, to_json(directory).encode())
            self._load([entry for entry in directory.nodes.values() if entry.head is not None])
            reputations = self._chain.reputations(list(self.nodes))
            for node, view in self.nodes.items():
                view.reputation = reputations.get(node, Reputation())
            self._refreshed = time.monotonic()

    def _load(self, entries: Iterable[NodeEntry]) -> None:
        changed = [e for e in entries if e.node not in self.nodes or self.nodes[e.node].entry != e]
        if not changed:
            return
        nodes = dict(self.nodes)
        with ThreadPoolExecutor(FETCHERS, "knet-fetch") as pool:
            for entry, result in zip(changed, pool.map(self._try_load, changed), strict=True):
                if isinstance(result, NodeView):
                    self.unusable.pop(entry.node, None)
                    _remember(result, nodes.get(entry.node))
                    nodes[entry.node] = result
                else:
                    self.unusable[entry.node] = result
                    nodes.pop(entry.node, None)
        self.nodes = nodes

    def _try_load(self, entry: NodeEntry) -> NodeView | str:
        assert entry.head is not None
        source = self._source_for(entry)
        try:
            manifest = get_record(source, entry.head.manifest, Manifest)
            if manifest.node != entry.node or manifest.sequence != entry.head.sequence:
                return f"its head {entry.head.manifest} is a manifest of node {manifest.node}, not its own"
            card = get_record(source, manifest.card, Card)
            space = get_record(source, manifest.space, Space)
            view = NodeView(entry, manifest, card, space)
            if card.space != manifest.space or len(view.centroids) != len(card.weights) // 4 or view.df is None:
                return f"its card {manifest.card} does not fit its manifest"
            return view
        except (KnetError, ValueError) as error:
            return str(error)


def _remember(view: NodeView, before: NodeView | None) -> None:
    if before is not None and before.entry.head is not None:
        view.earlier = {before.entry.head.manifest: before.manifest}
