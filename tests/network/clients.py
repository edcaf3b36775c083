"""Clients over the nodes of `support`, and networks of their own for them on the one development chain."""

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
from knet.embed import Embedder
from knet.http import HttpClient
from knet.records import NodeStatus, Space

from .support import WORD_SPACE, WordEmbedder

Loader = Callable[[Space], Embedder]
PATIENT = 30.0  # seconds a node: what only a broken client or a dead machine reaches


def own_network(devnet: Profile, name: str = "tests") -> Profile:
    """A network that nobody else is on: the contracts deployed once more, on the same chain."""
    return replace(devnet, name=name, deployment=deploy(devnet.rpc, funded_key(devnet)), models=[WORD_SPACE.model])


def funded_key(profile: Profile) -> Signer:
    """A new key that can pay for gas."""
    key = new_key()
    fund(profile.rpc, key.address)
    return key


def load_words(space: Space) -> Embedder:
    """The test embedder in place of a model's."""
    return WordEmbedder(space)


def open_client(profile: Profile, folder: Path, *, load: Loader = load_words, signer: Signer | None = None) -> Network:
    """A client with its own key, blocks, cache and ratings under ``folder``; close it."""
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
    """Look until it has happened; a node notices its own publication within a second."""
    until = time.monotonic() + PATIENT
    while not happens():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.05)


def status_of(nodes: list[NodeStatus], node: int) -> NodeStatus:
    """What happened at one node."""
    return next(status for status in nodes if status.node == node)
