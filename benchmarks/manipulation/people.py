"""Raters on a real chain: accounts with bonds, nodes with keys, and batches of genuine receipts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.chain.receipts import sign_receipt
from knet.config import Profile
from knet.content.store import MemoryStore
from knet.rating.batch import build_batch, publish_batch
from knet.records import Rating, Receipt

DEADLINE_SECONDS = 3600
FUNDS = 10_000  # ether an account may spend
EPOCH_SECONDS = 7 * 86_400

RatingSums = Mapping[int, float]  # node -> ratings, of -1 to 1 each, summed


class Town:
    """A network's nodes and raters. What accounts spend and lock is counted as the chain does."""

    def __init__(self, profile: Profile, nodes: int) -> None:
        self.profile = profile
        self.chain = EvmChain(profile.rpc, profile.deployment)
        self.leaves = MemoryStore()
        self._owners: dict[int, Signer] = {}
        self.first: list[int] = []  # the nodes before any attack
        self.turned = self.turned_next = 0  # honest nodes whose owner may turn
        for _ in range(nodes):
            self.add_node(self.account())

    @property
    def owners(self) -> dict[int, str]:
        """Return the owner of each node."""
        return {node: owner.address for node, owner in self._owners.items()}

    def owner(self, node: int) -> Signer:
        """Return the account that owns a node."""
        return self._owners[node]

    def account(self) -> Signer:
        """Return a new account with ether to spend."""
        signer = new_key()
        fund(self.profile.rpc, signer.address, FUNDS)
        return signer

    def add_node(self, owner: Signer) -> int:
        """Register a node: its number."""
        node = self.chain.identity.register(owner, f"http://127.0.0.1:{20_000 + len(self._owners)}")
        self.chain.reliability.checkpoint(owner, [node])
        self._owners[node] = owner
        return node

    def bond(self, rater: Signer, wei: int) -> None:
        self.chain.reliability.bond(rater, wei)

    def rate(self, rater: Signer, ratings: RatingSums) -> None:
        """Send one batch with as many genuine receipts as the ratings need."""
        batch = build_batch(list(self._ratings(rater, ratings)))
        publish_batch(batch, self.leaves)
        deadline = self.chain.time() + DEADLINE_SECONDS
        self.chain.reliability.submit(rater, batch.root, batch.content, batch.deltas, deadline)

    def _ratings(self, rater: Signer, ratings: RatingSums) -> Iterator[Rating]:
        now, deployment = self.chain.time(), self.chain.deployment
        for node, sum_ in ratings.items():
            hundredths = int(abs(sum_) * 100)
            while hundredths > 0:
                value = min(hundredths, 100)
                hundredths -= value
                receipt = Receipt(
                    node=node,
                    manifest=os.urandom(32),
                    query=os.urandom(32),
                    results=os.urandom(32),
                    client=bytes.fromhex(rater.address[2:]),
                    issued_at=now,
                    nonce=os.urandom(32),
                )
                signed = sign_receipt(self._owners[node], receipt, deployment.chain_id, deployment.reliability)
                yield Rating(receipt=signed, value=value if sum_ > 0 else -value)

    def balance(self, accounts: Sequence[Signer]) -> int:
        """Wei that accounts hold outside of bonds."""
        return sum(self.chain.rpc.web3.eth.get_balance(each.address) for each in accounts)  # type: ignore[arg-type]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take everything back that happens to the chain within the block."""
        owners, snapshot = dict(self._owners), self._call("evm_snapshot")
        try:
            yield
        finally:
            self._call("evm_revert", snapshot)
            self._owners = owners
            self.chain = EvmChain(self.profile.rpc, self.profile.deployment)  # the old one remembers nonces

    def wait(self, seconds: int) -> None:
        """Let time pass on the chain."""
        self._call("evm_increaseTime", seconds)
        self._call("evm_mine")

    def _call(self, method: str, *parameters: Any) -> Any:
        return self.chain.rpc.web3.provider.make_request(method, list(parameters))["result"]  # type: ignore[arg-type]
