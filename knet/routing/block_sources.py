"""Block sources of nodes, in order: the client's own store, the node itself, gateways and Kubo."""

from __future__ import annotations

from pathlib import Path

from ..codec import Cid
from ..config import Profile
from ..content.base import BlockSource, BlockStore
from ..content.bounded import BoundedStore
from ..content.gateway import GatewaySource
from ..content.kubo import KuboStore
from ..content.layered import FallbackSource, LayeredStore
from ..errors import BlockNotFound
from ..http import HttpClient
from ..records import NodeEntry
from .origins import BudgetedSource, OriginBudget

CARD_BYTES = 1 << 30  # cards and manifests of a big network: ten thousand nodes asked of late


class NodeBlockSources:
    """Block sources of one client. Every block is checked against its CID, whatever its source."""

    def __init__(
        self, profile: Profile, http: HttpClient, store: BlockStore, cards: Path, budget: OriginBudget
    ) -> None:
        """``store`` keeps what is read; ``cards`` keeps manifests and cards of a large network within a size limit."""
        self.budget = budget
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
        if not entry.endpoint:
            return [_NoAddress(entry.node), *self.shared]
        return [BudgetedSource(self.budget, entry, GatewaySource(self._http, [entry.endpoint])), *self.shared]

    @property
    def shared(self) -> list[BlockSource]:
        """Return the sources that belong to no node: IPFS gateways and Kubo."""
        return [*([GatewaySource(self._http, self._gateways)] if self._gateways else []), *self._daemons]

    def close(self) -> None:
        """Close the connections to daemons, and keep the budget."""
        self.budget.close()
        for daemon in self._daemons:
            daemon.close()


class _NoAddress:
    """Source of a node without a valid endpoint: its blocks can only be elsewhere."""

    def __init__(self, node: int) -> None:
        self._node = node

    def get(self, cid: Cid) -> bytes:
        raise BlockNotFound(f"Node {self._node} announces no valid address, and no other source has block {cid}.")

    def has(self, cid: Cid) -> bool:
        return False
