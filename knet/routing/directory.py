"""What the client knows of the network: nodes from chain events, their manifests and routing cards by CID.

Everything here can be rebuilt from the chain; the copy on disk only saves the time. Of a network of few nodes every
card is held (`NetworkView.nodes`); of more, only briefs (`knet.routing.large.large_directory`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from ..chain.events import RegistrySnapshot
from ..codec import Cid, from_json, to_json
from ..errors import ChainUnreachable, CodecError, KnetError
from ..files import write_atomically
from ..records import NodeEntry, Reputation
from .large.large_directory import Crowd, Favoured, SourceFor
from .large.two_stage import WHOLE
from .node_info import NodeInfo, info_of, unusable_info
from .node_view import NodeView, behind, in_grace, load_view

if TYPE_CHECKING:
    from ..chain.evm import EvmChain

REFRESH_SECONDS = 5.0  # how old the chain's word may be before it is asked again in the background
FETCHERS = 64  # manifests and cards are fetched side by side; nodes that hang must not queue the others up
LOAD_SECONDS = 3.0  # nobody waits longer for a node's manifest and card
SAVED_SECONDS = 60.0  # between writing down a long directory: what is lost of it is read from the chain again
SLOW = f"its manifest and card did not arrive within {LOAD_SECONDS:g} s"


class NetworkView:
    """Every node that can be asked, kept up to date from the chain. Safe to use from several threads.

    ``source_for`` gives the blocks of a node, and keeps them; ``glance_for`` does not keep what it reads. ``favoured``
    picks, of nodes and their reliability, those worth a look whatever the question.
    """

    def __init__(
        self, chain: EvmChain, source_for: SourceFor, glance_for: SourceFor, cache: Path, favoured: Favoured
    ) -> None:
        self._chain = chain
        self._source_for = source_for
        self._glance_for = glance_for
        self._cache = cache
        self._favoured = favoured
        self._directory = self._read_cache()
        self._lock = threading.Lock()
        self._refreshed = 0.0
        self._saved = 0.0
        self._background: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(FETCHERS, "knet-fetch")
        self._loading: dict[int, tuple[NodeEntry, Future[NodeView | str]]] = {}
        self._learnt: dict[int, tuple[Cid, float]] = {}  # of each node its newest head, and since when it is known
        self.crowd: Crowd | None = None  # where the network has more nodes than are held whole
        self.nodes: Mapping[int, NodeView] = {}
        self.unusable: Mapping[int, str] = {}  # node -> why it cannot be asked

    def _read_cache(self) -> RegistrySnapshot | None:
        try:
            return from_json(self._cache.read_bytes(), RegistrySnapshot)
        except (OSError, CodecError):
            return None

    def current(self) -> Mapping[int, NodeView]:
        """The nodes, asking the chain first if it was never asked, or in the background if that was a while ago.

        Of a big network, those that are held whole. Raises ChainUnreachable when the chain is away and no earlier word
        of it leads to a node.
        """
        age = time.monotonic() - self._refreshed
        if not self._refreshed:
            self._begin()
        elif age > REFRESH_SECONDS and (self._background is None or not self._background.is_alive()):
            self._background = threading.Thread(target=self._refresh_quietly, daemon=True, name="knet-refresh")
            self._background.start()
        return self.nodes

    def at_hand(self) -> Mapping[int, NodeView]:
        """The nodes held whole: all of a small network; of a big one those of small spaces, and those asked lately."""
        return self.nodes if self.crowd is None else self.crowd.at_hand()

    def entry(self, node: int) -> NodeEntry | None:
        """What the chain says of a node, as far as it was read."""
        return self._directory.nodes.get(node) if self._directory else None

    def owners(self) -> dict[int, str]:
        """Who owns each node that can be asked."""
        if self.crowd is None:
            return {node: view.entry.owner for node, view in self.nodes.items()}
        return {entry.node: entry.owner for entry in _published(self._directory)}

    @property
    def coverage(self) -> tuple[int, int]:
        """How many nodes can be asked by now, and how many are published."""
        if self.crowd is None:
            return len(self.nodes), len(self.nodes) + len(self.unusable)
        return len(self.crowd), self.crowd.published

    def infos(self) -> list[NodeInfo]:
        """One line about every node, by id."""
        if self.crowd is None:
            infos = list(map(info_of, self.nodes.values()))
            infos += [unusable_info(node, reason) for node, reason in self.unusable.items()]
        else:
            infos = self.crowd.infos()
        return sorted(infos, key=lambda info: info.node)

    def look_up(self, nodes: Sequence[int]) -> tuple[dict[int, NodeView], dict[int, str]]:
        """Some nodes whole, fetched where they are not at hand, and why others cannot be had."""
        entries = [entry for entry in map(self.entry, nodes) if entry is not None and entry.head is not None]
        if self.crowd is not None:
            return self.crowd.look_up(entries, LOAD_SECONDS)
        found = {entry.node: self.nodes[entry.node] for entry in entries if entry.node in self.nodes}
        return found, {node: self.unusable[node] for node in nodes if node in self.unusable}

    def close(self) -> None:
        """Stop fetching."""
        if self.crowd is not None:
            self.crowd.close()

    def _begin(self) -> None:
        try:
            self.refresh()
        except ChainUnreachable:
            with self._lock:
                self._load(_published(self._directory))
                if not self.nodes and (self.crowd is None or not len(self.crowd)):
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
            directory = self._chain.registry_snapshot(self._directory, on_page=self._keep)
            if directory != self._directory or not self._saved:
                self._directory = directory
                self._keep(directory)
            self._load(_published(directory))
            if self.crowd is not None:
                self.crowd.rate(self._chain.reliability.scores)
            else:
                reputations = self._chain.reliability.scores(list(self.nodes))
                for node, view in self.nodes.items():
                    view.reputation = reputations.get(node, Reputation())
            self._refreshed = time.monotonic()

    def _keep(self, directory: RegistrySnapshot) -> None:
        """Write it down: a short one always, a long one now and then."""
        if len(directory.nodes) <= WHOLE or time.monotonic() - self._saved > SAVED_SECONDS:
            write_atomically(self._cache, to_json(directory).encode())
            self._saved = time.monotonic()

    def _load(self, entries: Sequence[NodeEntry]) -> None:
        """Fetch what changed, waiting `LOAD_SECONDS` at most; a node that takes longer is there at a later refresh."""
        if self.crowd is None and len(entries) > WHOLE:
            folder = self._cache.with_suffix(".nodes")
            self.crowd = Crowd(folder, self._pool, self._source_for, self._glance_for, self._favoured, self.nodes)
        if self.crowd is not None:
            self.crowd.follow(entries, LOAD_SECONDS)
            self.nodes, self.unusable = self.crowd.near, self.crowd.unusable
            return
        nodes = {entry.node: self.nodes[entry.node] for entry in entries if entry.node in self.nodes}
        changed = [entry for entry in entries if entry.node not in nodes or nodes[entry.node].entry != entry]
        futures = [self._start(entry) for entry in changed]
        wait(futures, timeout=LOAD_SECONDS)
        unusable: dict[int, str] = {}
        for entry, future in zip(changed, futures, strict=True):
            before = nodes.get(entry.node)
            result = self._loading.pop(entry.node)[1].result() if future.done() else SLOW
            if isinstance(result, NodeView):
                result.remember(before)
                nodes[entry.node] = result
            elif before is None or behind(before, entry) > 1 or not in_grace(self._learnt_of(entry)):
                nodes.pop(entry.node, None)
                unusable[entry.node] = result
        self.nodes, self.unusable = nodes, unusable

    def _start(self, entry: NodeEntry) -> Future[NodeView | str]:
        known, future = self._loading.get(entry.node, (None, None))
        if future is None or known != entry:
            future = self._pool.submit(lambda: load_view(entry, self._source_for(entry)))
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


def _published(directory: RegistrySnapshot | None) -> list[NodeEntry]:
    return [entry for entry in directory.nodes.values() if entry.head is not None] if directory else []
