"""Block sources of nodes, in order: the client's own store, the node itself, gateways and Kubo."""

from __future__ import annotations

from pathlib import Path

from ..config import Profile
from ..content.base import BlockSource, BlockStore
from ..content.bounded import BoundedStore
from ..content.gateway import GatewaySource
from ..content.kubo import KuboStore
from ..content.layered import FallbackSource, LayeredStore
from ..http import HttpClient
from ..records import NodeEntry

CARD_BYTES = 1 << 30  # cards and manifests of a big network: ten thousand nodes asked of late


class NodeBlockSources:
    """Block sources of one client. Every block is checked against its CID, whatever its source."""

    def __init__(self, profile: Profile, http: HttpClient, store: BlockStore, cards: Path) -> None:
        """``store`` keeps what is read; ``cards`` keeps manifests and cards of a large network within a size limit."""
        self._http = http
        self._store = store
        self._gateways = profile.gateways
        self._daemons = [KuboStore(profile.kubo)] if profile.kubo else []
        self._cards = BoundedStore(cards, CARD_BYTES)

    @property
    def stores(self) -> list[BlockStore]:
        """The stores in which this client publishes its own blocks."""
        return [self._store, *self._daemons]

    def of(self, entry: NodeEntry) -> BlockSource:
        """Return a source that keeps what is read."""
        return LayeredStore(self._store, *self._elsewhere(entry))

    def bounded(self, entry: NodeEntry) -> BlockSource:
        """Return a source that keeps what is read within a size limit, since it can be read again."""
        return LayeredStore(LayeredStore(self._cards, self._store), *self._elsewhere(entry))

    def uncached(self, entry: NodeEntry) -> BlockSource:
        """Return a source that keeps nothing."""
        return FallbackSource(self._store, self._cards, *self._elsewhere(entry))

    def _elsewhere(self, entry: NodeEntry) -> list[BlockSource]:
        urls = [url for url in (entry.endpoint, *self._gateways) if url]
        return [GatewaySource(self._http, urls), *self._daemons]

    @property
    def shared(self) -> list[BlockSource]:
        """Return the sources that belong to no node: IPFS gateways and Kubo."""
        return [*([GatewaySource(self._http, self._gateways)] if self._gateways else []), *self._daemons]

    def close(self) -> None:
        """Close the connections to daemons."""
        for daemon in self._daemons:
            daemon.close()
