"""One node: a home folder, and the parts that work on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from filelock import FileLock, Timeout

from knet.chain.keys import Signer, load_or_create_key
from knet.config import Profile, load_profile
from knet.content.store import FileStore
from knet.embed import Embedder, find_model, is_bulk, load_embedder
from knet.errors import ConfigError, NodeBusy, StoreError
from knet.index.dense import DenseIndexFactory, ExactIndex
from knet.records import Space

from .chunking import Chunker, chunker_for
from .config import NodeConfig, load_config, node_home, save_config
from .state import State

if TYPE_CHECKING:
    from knet.chain.evm import EvmChain

# What a long step tells: the phase, how much is done, and of how much (0 while that is not known).
Progress = Callable[[str, int, int], None]


class LoadEmbedder(Protocol):
    def __call__(self, model: str, *, bulk: bool = False) -> Embedder: ...


def _model_chunker(model: str, space: Space) -> Chunker:
    return chunker_for(find_model(model), space)


def _evm_chain(profile: Profile) -> EvmChain:
    from knet.chain.evm import open_chain  # importing web3 takes a second, and a sync needs no chain

    return open_chain(profile)


def _function(name: str) -> Callable[..., Any]:
    """What ``module:function`` names. Raises ConfigError."""
    module, _, function = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"index {name!r} cannot be loaded: {error}.", hint="Write it as module:function.") from error
    return found


def quiet(phase: str, done: int, total: int) -> None:
    """A progress callback that tells nobody."""


class Node:
    """A node's home folder, opened: ``node.json``, ``node.key``, ``state.db``, ``blocks/``; ``index/`` if it is large.

    ``load``, ``cut`` and ``connect`` are how it comes by its embedder, the chunker that fits it, and its chain;
    ``profile`` is its network, if not the one that its settings name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        load: LoadEmbedder = load_embedder,
        cut: Callable[[str, Space], Chunker] = _model_chunker,
        connect: Callable[[Profile], EvmChain] = _evm_chain,
        profile: Profile | None = None,
    ) -> None:
        self.folder = folder
        self.config = load_config(folder)
        self._load = load
        self._questions: tuple[str, Embedder] | None = None
        self._cut = cut
        self._connect = connect
        self._profile = profile

    @property
    def name(self) -> str:
        return self.config.name

    @cached_property
    def signer(self) -> Signer:
        """The key that owns the node's identity, signs its receipts and publishes its heads."""
        return load_or_create_key(self.folder / "node.key")

    @cached_property
    def store(self) -> FileStore:
        return FileStore(self.folder / "blocks")

    @cached_property
    def profile(self) -> Profile:
        """The network the node belongs to. Raises ConfigError when none is configured."""
        return self._profile or load_profile(self.config.profile or None)

    @cached_property
    def chain(self) -> EvmChain:
        return self._connect(self.profile)

    @cached_property
    def index(self) -> DenseIndexFactory:
        """What finds candidates by vector. Raises ConfigError when the function that the settings name is not there."""
        if not self.config.index:
            return ExactIndex
        from knet.index.vectorstore_index import VectorStoreIndexFactory  # langchain-core takes a second to import

        return VectorStoreIndexFactory(_function(self.config.index), self.folder / "index.keys")

    @property
    def embedder(self) -> Embedder:
        """The embedder of the node's model, for questions; loaded on first use. Raises ModelNotFound."""
        model, embedder = self._questions or ("", None)
        if embedder is None or model != self.config.model:
            embedder = self._load(self.config.model)
            self._questions = (self.config.model, embedder)
        return embedder

    def embedder_for(self, texts: int) -> Embedder:
        """An embedder of the same space that suits so many passages. Raises ModelNotFound."""
        return self._load(self.config.model, bulk=is_bulk(texts))

    def chunker(self, space: Space) -> Chunker:
        """What cuts texts for the model. Raises ModelNotFound."""
        return self._cut(self.config.model, space)

    def open_state(self) -> State:
        """A connection of its own to the node's state."""
        return State(self.folder / "state.db")

    def reload(self) -> None:
        """Take up settings that another process changed. Raises ConfigError."""
        self.config = load_config(self.folder)

    def configure(self, **changes: object) -> None:
        """Change settings in ``node.json``. Raises NodeBusy while another process works on the node."""
        with self.lock("configure"):
            self.config = msgspec.structs.replace(load_config(self.folder), **changes)
            save_config(self.folder, self.config)

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Be the only process that writes this node; ``what`` is what others are told. Raises NodeBusy."""
        note = self.folder / "node.owner"
        lock = FileLock(self.folder / "node.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            owner = note.read_text() if note.exists() else "another process"
            raise NodeBusy(f"node {self.name} is in use by {owner}.", hint="Wait for it, or stop it.") from error
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be locked: {error.strerror}.") from error
        try:
            note.write_text(f"`{what}` (process {os.getpid()})")
            yield
        finally:
            lock.release()


def network_of(node: Node) -> str:
    """What tells one network's registrations from another's."""
    deployment = node.profile.deployment
    return f"{deployment.chain_id}:{deployment.identity}"


def create_node(folder: Path | None, config: NodeConfig) -> Node:
    """Make a node's home with its settings and its key. Raises ConfigError when there is one already."""
    folder = folder or node_home(config.name)
    if (folder / "node.json").exists():
        raise ConfigError(f"{folder} is a node already.", hint="Choose another name or --home.")
    save_config(folder, config)
    node = Node(folder)
    _ = node.signer  # a node without its key is none
    return node
