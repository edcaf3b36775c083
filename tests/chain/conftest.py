"""Fixtures for a chain behind an RPC with faults that tests choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.chain import sender
from knet.chain.evm import EvmChain
from knet.config import Profile

from .faults import FaultyRpc, faulty


@pytest.fixture
def rpc(devnet: Profile) -> Iterator[FaultyRpc]:
    with faulty(devnet.rpc) as rpc:
        yield rpc


@pytest.fixture
def through(rpc: FaultyRpc, devnet: Profile, tmp_path: Path) -> EvmChain:
    """The chain through the faulty RPC, with a journal of transactions."""
    return EvmChain(rpc.url, devnet.deployment, journals=tmp_path)


@pytest.fixture
def later(devnet: Profile, tmp_path: Path) -> EvmChain:
    """The same user, later, over an RPC that works."""
    return EvmChain(devnet.rpc, devnet.deployment, journals=tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between retries; limits that end a wait stay long."""
    monkeypatch.setattr(sender, "RESEND_SECONDS", 0.05)
    monkeypatch.setattr(sender, "SEND_PAUSES", (0.01, 0.01))
    monkeypatch.setattr(sender, "NONCE_PAUSES", (0.01, 0.01, 0.01))
