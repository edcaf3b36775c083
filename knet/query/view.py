"""What the client knows of the network: nodes from chain events, their manifests and routing cards by CID.

Everything here can be rebuilt from the chain; the copy on disk only saves the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path

from ..chain.base import Chain, Directory
from ..codec import Cid, from_json, to_json
from ..config import write_atomically
from ..content.base import BlockSource, get_record
from ..errors import ChainUnreachable, CodecError, KnetError
from ..index.shard import Vectors
from ..records import Card, Manifest, NodeEntry, Reputation, Space
from .shape import check_shape, read_centroids, read_df, read_spreads

REFRESH_SECONDS = 5.0  # how old the chain's word may be before it is asked again in the background
GRACE_SECONDS = 60.0  # how long the head before the last is still taken: replies cross with publications
FETCHERS = 64  # manifests and cards are fetched side by side; nodes that hang must not queue the others up
LOAD_SECONDS = 3.0  # nobody waits longer for a node's manifest and card
SLOW = f"its manifest and card did not arrive within {LOAD_SECONDS:g} s"

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
        self.learnt = time.time()  # when this client came to know the head: it may have been long in settling

    @cached_property
    def centroids(self) -> Vectors:
        """``(n, dimension)`` float32, unit length."""
        return read_centroids(self.card, self.space)

    @cached_property
    def df(self) -> dict[int, int]:
        """Document frequency by term hash, as the card tells it."""
        return read_df(self.card)

    @cached_property
    def spreads(self) -> Vectors:
        """``(n,)`` mean cosine of each centroid with its chunks."""
        return read_spreads(self.card)

    def manifest_for(self, cid: Cid) -> Manifest | None:
        """The manifest a reply may speak for: the head, or the one before it within the grace window."""
        if self.entry.head is not None and cid == self.entry.head.manifest:
            return self.manifest
        return self.earlier.get(cid) if _in_grace(self.learnt) else None


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
        self._pool = ThreadPoolExecutor(FETCHERS, "knet-fetch")
        self._loading: dict[int, tuple[NodeEntry, Future[NodeView | str]]] = {}
        self._learnt: dict[int, tuple[Cid, float]] = {}  # of each node its newest head, and since when it is known
        self.nodes: dict[int, NodeView] = {}
        self.unusable: dict[int, str] = {}  # node -> why it cannot be asked

    def _read_cache(self) -> Directory | None:
        try:
            return from_json(self._cache.read_bytes(), Directory)
        except (OSError, CodecError):
            return None

    def current(self) -> dict[int, NodeView]:
        """The nodes, asking the chain first if it was never asked, or in the background if that was a while ago.

        Raises ChainUnreachable when the chain is away and no earlier word of it leads to a node.
        """
        age = time.monotonic() - self._refreshed
        if not self._refreshed:
            self._begin()
        elif age > REFRESH_SECONDS and (self._background is None or not self._background.is_alive()):
            self._background = threading.Thread(target=self._refresh_quietly, daemon=True, name="knet-refresh")
            self._background.start()
        return self.nodes

    def _begin(self) -> None:
        try:
            self.refresh()
        except ChainUnreachable:
            with self._lock:
                self._load(_published(self._directory))
                if not self.nodes:
                    raise
                self._refreshed = time.monotonic()

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
            self._load(_published(directory))
            reputations = self._chain.reputations(list(self.nodes))
            for node, view in self.nodes.items():
                view.reputation = reputations.get(node, Reputation())
            self._refreshed = time.monotonic()

    def _load(self, entries: Sequence[NodeEntry]) -> None:
        """Fetch what changed, waiting `LOAD_SECONDS` at most; a node that takes longer is there at a later refresh."""
        nodes = {entry.node: self.nodes[entry.node] for entry in entries if entry.node in self.nodes}
        changed = [entry for entry in entries if entry.node not in nodes or nodes[entry.node].entry != entry]
        futures = [self._start(entry) for entry in changed]
        wait(futures, timeout=LOAD_SECONDS)
        unusable: dict[int, str] = {}
        for entry, future in zip(changed, futures, strict=True):
            before = nodes.get(entry.node)
            result = self._loading.pop(entry.node)[1].result() if future.done() else SLOW
            if isinstance(result, NodeView):
                _remember(result, before)
                nodes[entry.node] = result
            elif before is None or _behind(before, entry) > 1 or not _in_grace(self._learnt_of(entry)):
                nodes.pop(entry.node, None)
                unusable[entry.node] = result
        self.nodes, self.unusable = nodes, unusable

    def _start(self, entry: NodeEntry) -> Future[NodeView | str]:
        known, future = self._loading.get(entry.node, (None, None))
        if future is None or known != entry:
            future = self._pool.submit(self._try_load, entry)
            self._loading[entry.node] = entry, future
        return future

    def _learnt_of(self, entry: NodeEntry) -> float:
        """When this client first saw the entry's head (unix seconds)."""
        assert entry.head is not None
        head, when = self._learnt.get(entry.node, (None, 0.0))
        if head != entry.head.manifest:
            when = time.time()
            self._learnt[entry.node] = entry.head.manifest, when
        return when

    def _try_load(self, entry: NodeEntry) -> NodeView | str:
        assert entry.head is not None
        source = self._source_for(entry)
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


def _in_grace(learnt: float) -> bool:
    """Whether a head came up so lately that its node may still serve the one before."""
    return time.time() - learnt <= GRACE_SECONDS


def _published(directory: Directory | None) -> list[NodeEntry]:
    return [entry for entry in directory.nodes.values() if entry.head is not None] if directory else []


def _behind(view: NodeView, entry: NodeEntry) -> int:
    """How many publications a view is behind an entry."""
    assert view.entry.head is not None
    assert entry.head is not None
    return entry.head.sequence - view.entry.head.sequence


def _remember(view: NodeView, before: NodeView | None) -> None:
    if before is not None and _behind(before, view.entry) == 0:  # moved, or has another wallet
        view.earlier, view.learnt = before.earlier, before.learnt
    elif before is not None and before.entry.head is not None and _behind(before, view.entry) == 1:
        view.earlier = {before.entry.head.manifest: before.manifest}
