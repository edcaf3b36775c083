"""Follower of the chain's directory of nodes: keeps a `NodeDirectory` up to date and picks its implementation.

All of it can be rebuilt from the chain; the copy on disk only saves the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..chain.events import RegistrySnapshot, is_endpoint
from ..codec import from_json, to_json
from ..errors import ChainUnreachable, CodecError, KnetError
from ..files import write_atomically
from ..records import NodeEntry
from .block_sources import NodeBlockSources
from .card_directory import CardDirectory
from .directory import NodeDirectory
from .large.large_directory import PriorTop, SpaceRefusal, SummaryDirectory
from .large.two_stage import MAX_FULL_CARDS
from .node_view import NodeView

if TYPE_CHECKING:
    from ..chain.evm import EvmChain

REFRESH_SECONDS = 5.0  # age of the chain's data from which it is read again in the background
FETCHERS = 64  # manifests and cards are fetched side by side; nodes that hang must not queue the others up
SAVED_SECONDS = 60.0  # between writes of a long directory: what is lost of it is read from the chain again


class DirectoryFollower:
    """The nodes of one network, read from the chain. Safe to use from several threads.

    ``prior_top`` returns, of nodes with these reliabilities, those worth comparing for every query.
    """

    def __init__(
        self,
        chain: EvmChain,
        sources: NodeBlockSources,
        cache: Path,
        prior_top: PriorTop,
        refusal: SpaceRefusal = lambda space: None,
    ) -> None:
        """``refusal`` returns the reason why this client cannot ask nodes of a space, None if it can."""
        self._chain = chain
        self._sources = sources
        self._cache = cache
        self._prior_top = prior_top
        self._refusal = refusal
        self._read = self._read_cache()
        self._lock = threading.Lock()
        self._refreshed = 0.0
        self._saved = 0.0
        self._background: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(FETCHERS, "knet-fetch")
        self._directory: NodeDirectory = CardDirectory(self._pool, lambda entry: sources.of(entry), sources.budget)

    def _read_cache(self) -> RegistrySnapshot | None:
        try:
            read = from_json(self._cache.read_bytes(), RegistrySnapshot)
        except (OSError, CodecError):
            return None
        invalid = [entry for entry in read.nodes.values() if entry.endpoint and not is_endpoint(entry.endpoint)]
        return replace(read, nodes=read.nodes | {entry.node: replace(entry, endpoint="") for entry in invalid})

    def current(self) -> NodeDirectory:
        """Return the directory. It reads the chain on the first call, and later in the background every few seconds.

        Raises ChainUnreachable when the chain is away and nothing kept from earlier leads to a node.
        """
        age = time.monotonic() - self._refreshed
        if not self._refreshed:
            self._begin()
        elif age > REFRESH_SECONDS and (self._background is None or not self._background.is_alive()):
            self._background = threading.Thread(target=self._refresh_quietly, daemon=True, name="knet-refresh")
            self._background.start()
        return self._directory

    def refresh(self) -> NodeDirectory:
        """Read the chain's events and reliabilities, and fetch what changed. Raises ChainUnreachable."""
        with self._lock:
            read = self._chain.registry_snapshot(self._read, on_page=self._keep)
            if read != self._read or not self._saved:
                self._read = read
                self._keep(read)
            self._follow()
            self._directory.rate(self._chain.reliability.scores)
            self._refreshed = time.monotonic()
            return self._directory

    def entry(self, node: int) -> NodeEntry | None:
        """Return a node's entry on chain, as far as the chain was read."""
        return self._read.nodes.get(node) if self._read else None

    def owners(self) -> dict[int, str]:
        """Return the owner of every published node."""
        return {entry.node: entry.owner for entry in self._published()}

    def published(self) -> dict[int, NodeEntry]:
        """Return the entry of every published node, as far as the chain was read."""
        return {entry.node: entry for entry in self._published()}

    def cached(self) -> dict[int, NodeView]:
        """Return the full views that are in memory now, without reading the chain."""
        return self._directory.cached()

    def close(self) -> None:
        """Stop fetching."""
        self._directory.close()

    def _published(self) -> Sequence[NodeEntry]:
        return [entry for entry in self._read.nodes.values() if entry.head is not None] if self._read else []

    def _begin(self) -> None:
        try:
            self.refresh()
        except ChainUnreachable:
            with self._lock:
                self._follow()
                if not self._directory.coverage.known:
                    raise
                self._refreshed = time.monotonic()

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except KnetError:  # the chain is away: go on with what is known; a reply from a newer head is then refused
            self._refreshed = time.monotonic()

    def _follow(self) -> None:
        entries = self._published()
        if len(entries) > MAX_FULL_CARDS and isinstance(self._directory, CardDirectory):
            folder, full = self._cache.with_suffix(".nodes"), self._directory.cached()
            self._directory = SummaryDirectory(
                folder, self._pool, self._sources, self._prior_top, full, self._sources.budget, self._refusal
            )
        self._directory.follow(entries)

    def _keep(self, read: RegistrySnapshot) -> None:
        """Write the directory to disk: a short one always, a long one now and then."""
        if len(read.nodes) <= MAX_FULL_CARDS or time.monotonic() - self._saved > SAVED_SECONDS:
            write_atomically(self._cache, to_json(read).encode())
            self._saved = time.monotonic()
