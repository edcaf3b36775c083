"""Network on this machine: a development chain, and each node in a separate process.

Nodes are prepared here with given vectors, so that no node has to embed its passages. Each is then served by the real
program, `knet node serve`, and queried over HTTP.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.passages import Passage
from knet.chain.devchain import start_network, stop_network
from knet.config import Profile, home
from knet.embed.base import Progress, Vectors
from knet.index.sentences import Span
from knet.records import Space
from knet_indexer.config import NodeConfig, SourceConfig, node_home, save_config
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish

NETWORK = "bench"
STOP_SECONDS = 10.0
PATIENCE_SECONDS = 30.0  # a deadline for benchmarks of quality, where a slow minute of the machine must not count


class GivenEmbedder:
    """Embedder that returns precomputed vectors by text."""

    def __init__(self, space: Space, vectors: Mapping[str, Vectors]) -> None:
        self.space = space
        self._vectors = vectors

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        if progress:
            progress(len(texts))
        return np.stack([self._vectors[text] for text in texts])


def cut_nothing(text: str) -> list[Span]:
    """Return the whole text as one chunk."""
    return [Span(0, len(text))]


@contextmanager
def network() -> Iterator[Profile]:
    """Run a new network in a temporary home; models come from the user's home."""
    models = home() / "models"
    with TemporaryDirectory(prefix="knet-bench-") as folder, _variable("KNET_HOME", folder):
        models.mkdir(parents=True, exist_ok=True)
        (Path(folder) / "models").symlink_to(models, target_is_directory=True)
        try:
            yield start_network(NETWORK, report=lambda _: None)
        finally:
            stop_network(NETWORK)


@contextmanager
def nodes(profile: Profile, collections: Sequence[Sequence[Passage]], embedder: GivenEmbedder) -> Iterator[None]:
    """Run one published node process for each collection until the block ends. A passage's file is named by its id."""
    names = [f"node-{number}" for number in range(len(collections))]
    for name, port, passages in zip(names, free_ports(len(names)), collections, strict=True):
        prepare(name, port, passages, profile, embedder)
    with ExitStack() as stack:
        processes = [stack.enter_context(process(name)) for name in names]
        for name, started in zip(names, processes, strict=True):
            assert started.stdout is not None
            if not started.stdout.readline():
                raise SystemExit(f"{name} did not start: {started.wait()}")
        yield


def prepare(name: str, port: int, passages: Sequence[Passage], profile: Profile, embedder: GivenEmbedder) -> None:
    """Index and publish a node's passages."""
    folder = home() / "documents" / name
    folder.mkdir(parents=True)
    for passage in passages:
        (folder / f"{passage.id}.txt").write_text(passage.text, encoding="utf-8")
    source = SourceConfig(spec=f"folder:{folder}")
    save_config(node_home(name), NodeConfig(name=name, profile=profile.name, port=port, sources=[source]))
    node = Node(node_home(name), load=lambda model, *, bulk=False: embedder, cut=lambda model, space: cut_nothing)
    sync(node)
    publish(node)


@contextmanager
def process(name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the node's program; stop it when the block ends."""
    command = [sys.executable, "-m", "knet_indexer", "serve", name, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
