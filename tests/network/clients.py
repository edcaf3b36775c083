"""Clients of the nodes of `support`, and separate networks for them on the shared development chain."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from knet.chain.deploy import deploy
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.client.network import Network
from knet.config import Profile
from knet.content.store import FileStore
from knet.embed.base import Embedder
from knet.http import HttpClient
from knet.records import NodeStatus, Space

from .support import WORD_SPACE, WordEmbedder

Loader = Callable[[Space], Embedder]
PATIENT = 30.0  # seconds a node; only a broken client or a dead machine takes so long


def own_network(devnet: Profile, name: str = "tests") -> Profile:
    """Return a network without other users: the contracts deployed once more on the same chain."""
    return replace(devnet, name=name, deployment=deploy(devnet.rpc, funded_key(devnet)), models=[WORD_SPACE.model])


def funded_key(profile: Profile) -> Signer:
    """Return a new key that can pay for gas."""
    key = new_key()
    fund(profile.rpc, key.address)
    return key


def load_words(space: Space) -> Embedder:
    """Return the tests' embedder in place of a model."""
    return WordEmbedder(space)


def open_client(profile: Profile, folder: Path, *, load: Loader = load_words, signer: Signer | None = None) -> Network:
    """Return a client with its key, blocks, cache and ratings under ``folder``. The caller closes it."""
    return Network(
        profile,
        chain=EvmChain(profile.rpc, profile.deployment, confirmations=profile.confirmations_needed),
        signer=signer or new_key(),
        http=HttpClient(addresses=profile.addresses),
        store=FileStore(folder / "blocks"),
        folder=folder,
        load_embedder=load,
    )


def wait_for(happens: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; a node serves its publication within a second."""
    until = time.monotonic() + PATIENT
    while not happens():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.05)


def status_of(nodes: list[NodeStatus], node: int) -> NodeStatus:
    """Return the status of one node."""
    return next(status for status in nodes if status.node == node)
