"""A deployment of knet on an EVM chain, over JSON-RPC."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ..config import JOURNALS, Deployment, Profile, home
from ..errors import ChainError
from .events import (
    MANIFEST_PUBLISHED,
    METADATA_SET,
    TRANSFER,
    OnPage,
    RegistrySnapshot,
    apply_logs,
    block_times,
    drop_unpublished,
    fetch_pages,
    ignore_page,
)
from .identity_registry import IdentityRegistry
from .keys import Signer
from .manifest_registry import ManifestRegistry
from .reliability import Reliability
from .rpc import Rpc

WALLET_CONSENT_SECONDS = 240  # the registry admits 300


class EvmChain:
    """Blocks, time and the contracts of one deployment. Safe to use from many threads.

    ``rpc_url`` is shown in errors without its path and credentials. Transactions are estimated against the pending
    block, signed here, and waited for; a revert is reported with the contract's own error and arguments. ``journals``
    is the folder where transactions are recorded, so that a later call resumes what a crash or a broken connection
    left. ``confirmations`` is how many blocks must lie above a confirmed one, or the tag of such a block.

    Every method raises ChainUnreachable when the RPC does not answer.
    """

    def __init__(
        self,
        rpc_url: str,
        deployment: Deployment,
        *,
        journals: Path | None = None,
        confirmations: int | Literal["safe", "finalized"] = 0,
    ) -> None:
        self.rpc = Rpc(rpc_url, journals, confirmations)
        self.deployment = deployment
        self.identity = IdentityRegistry(self.rpc, deployment)
        self.manifests = ManifestRegistry(self.rpc, deployment, self.identity)
        self.reliability = Reliability(self.rpc, deployment)

    def block_number(self) -> int:
        """Return the number of the newest block."""
        return self.rpc.block_number()

    def confirmed_block(self) -> int:
        """Return the number of the newest confirmed block."""
        return self.rpc.confirmed_block()[0]

    def time(self, block: int | None = None) -> int:
        """Return the time of a block, by default the newest (unix seconds)."""
        with self.rpc.errors("Reading the time of a block"):
            return int(self.rpc.web3.eth.get_block("latest" if block is None else block)["timestamp"])

    def next_time(self) -> int:
        """Return the least time of the next block by the chain's clock (unix seconds)."""
        latest = self.time()
        with suppress(ChainError), self.rpc.errors("Reading the pending block"):  # not every RPC has one
            return max(latest, int(self.rpc.web3.eth.get_block("pending")["timestamp"]))
        return latest

    def gas_price(self) -> int:
        """Return the price of a unit of gas in the next block (wei)."""
        with self.rpc.errors("Reading the price of gas"):
            return int(self.rpc.web3.eth.gas_price)

    def registry_snapshot(
        self, known: RegistrySnapshot | None = None, *, on_page: OnPage = ignore_page
    ) -> RegistrySnapshot:
        """Return all nodes as of the confirmed block, read from events. A node without an endpoint is not reachable.

        ``known`` is extended if its block is still on the chain; otherwise all events are read again. ``on_page``
        receives the snapshot after each page of blocks but the last, for a later call to extend.
        """
        latest, named = self.rpc.confirmed_block()
        start, nodes = self.deployment.block, {}
        if known is not None and known.hash and self.rpc.block_hash(known.block) == known.hash:
            if known.block >= latest:  # an RPC behind a load balancer may lag behind another
                return known
            start, nodes = known.block + 1, dict(known.nodes)
        addresses = [self.deployment.identity, self.deployment.manifests]
        topics = [[TRANSFER, METADATA_SET, MANIFEST_PUBLISHED]]
        with self.rpc.errors("Reading the directory of nodes"):
            times = block_times(self.rpc)
            for end, logs in fetch_pages(self.rpc, addresses, topics, start, latest):
                apply_logs(nodes, logs, times, self.identity.entry)
                drop_unpublished(nodes)
                if end < latest:
                    on_page(RegistrySnapshot(block=end, nodes=dict(nodes), hash=self.rpc.block_hash(end)))
        return RegistrySnapshot(block=latest, nodes=nodes, hash=named)

    def set_wallet(self, owner: Signer, node: int, wallet: Signer) -> str:
        """Let another key sign for a node and return the transaction hash. Both keys must consent.

        The change is checkpointed at once: until then receipts of the previous key would stay valid.
        """
        deadline = max(int(time.time()), self.time()) + WALLET_CONSENT_SECONDS
        changed = self.identity.set_wallet(owner, node, wallet, deadline)
        self.reliability.checkpoint(owner, [node])
        return changed


def open_chain(profile: Profile) -> EvmChain:
    """Return the chain of a profile. Raises ConfigError."""
    return EvmChain(
        profile.rpc, profile.deployment, journals=home() / JOURNALS, confirmations=profile.confirmations_needed
    )
