"""Unattended audits of a node: of the batches that rate it, and leaves published for raters that are offline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property

from knet.chain.batches import Batch
from knet.chain.events import RegistrySnapshot
from knet.content.gateway import GatewaySource
from knet.errors import KnetError
from knet.http import HttpClient
from knet.rating.auditor import Auditor
from knet.rating.replication import LeafSources
from knet.rating.verification import BatchVerifier
from knet.records import NodeEntry

from ..node import Node
from .ratings import RatingKeeper

FIRST_SECONDS = 30.0  # after the start, which has other work
AUDIT_SECONDS = 600.0  # between two passes; an availability challenge leaves four days

log = logging.getLogger("knet.node")


class NodeAuditor:
    """The audits of one node, with its own key. Use from one thread at a time; close it."""

    def __init__(self, node: Node, keeper: RatingKeeper) -> None:
        self._node = node
        self._keeper = keeper
        self._registry: RegistrySnapshot | None = None
        self._http = HttpClient(addresses=node.profile.addresses)

    def run(self) -> list[str]:
        """Make one pass. Return the transactions that it sent; failures are logged."""
        try:
            return self._run()
        except KnetError as error:
            log.warning("node %s: ratings could not be audited: %s", self._node.name, error)
            return []

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _run(self) -> list[str]:
        chain = self._node.chain
        self._registry = chain.registry_snapshot(self._registry)
        own = {entry.node for entry in self._published().values() if entry.wallet == self._node.signer.address}
        removed, newest = chain.reliability.removed(), chain.confirmed_block()
        concern = [batch for batch in chain.reliability.batches() if batch.block <= newest and _rates(batch, own)]
        active = [batch for batch in concern if (batch.rater, batch.number) not in removed]
        findings = self._verifier.check(active)
        return [*self._auditor.act(findings, lambda batch: True), *self._auditor.keep_up(self._keeper)]

    @cached_property
    def _verifier(self) -> BatchVerifier:
        gateways = [GatewaySource(self._http, urls)] if (urls := self._node.profile.gateways) else []
        leaves = LeafSources(self._http, self._keeper.store, self._published, *gateways)
        return BatchVerifier(self._node.chain, leaves.of, self._node.folder / "audits.db")

    @cached_property
    def _auditor(self) -> Auditor:
        path = self._node.folder / "audit-costs.db"
        return Auditor(self._node.chain, self._node.signer, self._node.profile.audit_budget, path)

    def _published(self) -> Mapping[int, NodeEntry]:
        nodes = self._registry.nodes if self._registry else {}
        return {node: entry for node, entry in nodes.items() if entry.head is not None}


def _rates(batch: Batch, nodes: set[int]) -> bool:
    return any(delta.node in nodes for delta in batch.deltas)
