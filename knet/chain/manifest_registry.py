"""Wrapper of the manifest registry: the heads that nodes publish."""

from __future__ import annotations

from ..codec import Cid
from ..config import Deployment
from ..records import Head
from .events import MANIFEST_PUBLISHED, block_times, decode_head, fetch_logs
from .identity_registry import IdentityRegistry
from .keys import Signer
from .rpc import Rpc


class ManifestRegistry:
    """The manifest registry of one deployment. Safe to use from many threads."""

    def __init__(self, rpc: Rpc, deployment: Deployment, identity: IdentityRegistry) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._identity = identity
        self._contract = rpc.contract("ManifestRegistry", deployment.manifests)

    def heads(self, node: int, *, unconfirmed: bool = False) -> list[Head]:
        """Return every manifest that a node published, oldest first.

        Reads up to the confirmed block; with ``unconfirmed``, up to the newest. Raises NotRegistered.
        """
        latest = self._rpc.block_number() if unconfirmed else self._rpc.confirmed_block()[0]
        topics, time_of = [MANIFEST_PUBLISHED, f"0x{node:064x}"], block_times(self._rpc)
        with self._rpc.errors(f"Reading the manifests of node {node}"):
            logs = fetch_logs(self._rpc, [self._deployment.manifests], topics, self._deployment.block, latest)
            found = [decode_head(log, time_of) for log in logs]
        if not found:
            self._identity.owner_of(node)
        return found

    def published_in(self, node: int, block: int) -> list[Cid]:
        """Return the manifests that became a node's head in one block."""
        topics = [MANIFEST_PUBLISHED, f"0x{node:064x}"]
        with self._rpc.errors(f"Reading the manifests of node {node}"):
            logs = fetch_logs(self._rpc, [self._deployment.manifests], topics, block, block)
            return [decode_head(log, lambda _: 0).manifest for log in logs]

    def publish(self, signer: Signer, node: int, sequence: int, manifest: Cid) -> str:
        """Make a manifest the node's head and return the transaction hash.

        ``sequence`` must be one above the last. Raises TransactionFailed.
        """
        call = self._contract.functions.publish(node, sequence, manifest.digest)
        return self._rpc.send(signer, call, f"Publishing manifest {sequence} of node {node}")
