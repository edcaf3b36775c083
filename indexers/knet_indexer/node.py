"""A node: a home folder, and the store, key, state, embedder and chain that belong to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol

import msgspec
from filelock import FileLock, Timeout

from knet.chain.keys import Signer, load_or_create_key
from knet.config import Profile, load_profile
from knet.content.store import FileStore
from knet.embed.base import Embedder
from knet.embed.load import is_bulk, load_embedder
from knet.embed.models import find_model
from knet.errors import ConfigError, NodeBusy, StoreError
from knet.files import open_private, restrict_access, write_atomically
from knet.index.dense import DenseIndexFactory, ExactIndex
from knet.records import Space

from .chunking import Chunker, chunker_for
from .config import NodeConfig, load_config, node_home, save_config
from .state import State

if TYPE_CHECKING:
    from knet.chain.evm import EvmChain

# Called by a long step with the phase, the amount done, and the total (0 while it is unknown).
Progress = Callable[[str, int, int], None]


class LoadEmbedder(Protocol):
    def __call__(self, model: str, *, bulk: bool = False) -> Embedder: ...


def _model_chunker(model: str, space: Space) -> Chunker:
    return chunker_for(find_model(model), space)


def _evm_chain(profile: Profile) -> EvmChain:
    from knet.chain.evm import open_chain  # importing web3 takes a second, and a sync needs no chain

    return open_chain(profile)


def quiet(phase: str, done: int, total: int) -> None:
    """Ignore progress."""


class Node:
    """A node's home folder, opened: ``node.json``, ``node.key``, ``node.address``, ``state.db``, ``blocks/``;
    ``index/`` if it is large.

    ``load`` opens its embedder, ``cut`` the chunker that fits the embedder, ``connect`` its chain. ``profile`` replaces
    the network that its settings name.
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
        restrict_access(folder)  # an earlier version may have created it
        self._load = load
        self._query_embedder: tuple[str, Embedder] | None = None
        self._cut = cut
        self._connect = connect
        self._profile = profile

    @property
    def name(self) -> str:
        return self.config.name

    @cached_property
    def signer(self) -> Signer:
        """The key that owns the node's identity, signs its receipts and publishes its heads.

        Raises ConfigError when its file is missing: another key would be another node.
        """
        path, note = self.folder / "node.key", self.folder / "node.address"
        if not path.exists() and (identity := self._earlier_identity(note)):
            raise ConfigError(
                f"{path} is missing: it is the key of {identity}.",
                hint="Restore it from a backup. Without it this identity is lost: create another node with"
                " `knet node init` and add the same sources.",
            )
        signer = load_or_create_key(path)
        if not note.exists():
            with suppress(OSError):  # a home on a read-only disk
                write_atomically(note, f"{signer.address}\n".encode())
        return signer

    def _earlier_identity(self, note: Path) -> str:
        """Return the name, address and numbers of the node that had a key here before; empty for a new node."""
        address = note.read_text().strip() if note.exists() else ""
        numbers = []
        if (self.folder / "state.db").exists():
            with self.open_state() as state:
                for key, number in state.metas("identity ").items():
                    numbers.append(f"node {number.decode()} on network {key.removeprefix('identity ')}")
        if not address and not numbers:
            return ""
        return ", ".join([f"{self.name} (address {address or 'unknown'})", *numbers])

    @cached_property
    def store(self) -> FileStore:
        return FileStore(self.folder / "blocks")

    @cached_property
    def profile(self) -> Profile:
        """The network of the node. Raises ConfigError when none is configured."""
        return self._profile or load_profile(self.config.profile or None)

    @cached_property
    def chain(self) -> EvmChain:
        return self._connect(self.profile)

    @cached_property
    def index(self) -> DenseIndexFactory:
        """The factory of the node's vector index. Raises ConfigError when the function in its settings cannot be
        loaded.
        """
        if not self.config.index:
            return ExactIndex
        from knet.index.vectorstore_index import VectorStoreIndexFactory  # langchain-core takes a second to import

        name = self.config.index
        try:
            open_store = resolve_name(name)
            if not callable(open_store):
                raise ValueError("it is not a function")
        except (ImportError, AttributeError, ValueError) as error:
            hint = "Write it as module:function."
            raise ConfigError(f"index {name!r} cannot be loaded: {error}.", hint=hint) from error
        return VectorStoreIndexFactory(open_store, self.folder / "index.keys")

    @property
    def embedder(self) -> Embedder:
        """The embedder of the node's model, for questions; loaded on first use. Raises ModelNotFound."""
        model, embedder = self._query_embedder or ("", None)
        if embedder is None or model != self.config.model:
            embedder = self._load(self.config.model)
            self._query_embedder = (self.config.model, embedder)
        return embedder

    def embedder_for(self, texts: int) -> Embedder:
        """Return an embedder of the same space that suits ``texts`` passages. Raises ModelNotFound."""
        return self._load(self.config.model, bulk=is_bulk(texts))

    def chunker(self, space: Space) -> Chunker:
        """Return the chunker for the node's model. Raises ModelNotFound."""
        return self._cut(self.config.model, space)

    def open_state(self) -> AbstractContextManager[State]:
        """Return a new connection to the node's state, closed at the end of a ``with`` block."""
        return closing(State(self.folder / "state.db"))

    def reload(self) -> None:
        """Reload settings that another process changed. Raises ConfigError."""
        self.config = load_config(self.folder)

    def configure(self, **changes: object) -> None:
        """Change settings in ``node.json``. Raises NodeBusy while another process works on the node."""
        with self.lock("configure"):
            self.config = msgspec.structs.replace(load_config(self.folder), **changes)
            save_config(self.folder, self.config)

    @contextmanager
    def lock(self, task: str) -> Iterator[None]:
        """Hold the node's write lock. ``task`` is the reason that other processes show. Raises NodeBusy."""
        note = self.folder / "node.owner"
        lock = FileLock(self.folder / "node.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout as error:
            owner = note.read_text() if note.exists() else "another process"
            raise NodeBusy(f"node {self.name} is in use by {owner}.", hint="Wait for it, or stop it.") from error
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be locked: {error.strerror}.") from error
        try:
            with open(open_private(note), "w") as file:
                file.write(f"`{task}` (process {os.getpid()})")
            yield
        finally:
            lock.release()


def network_of(node: Node) -> str:
    """Return the name of the node's network: chain id and identity registry."""
    deployment = node.profile.deployment
    return f"{deployment.chain_id}:{deployment.identity}"


def create_node(folder: Path | None, config: NodeConfig) -> Node:
    """Create a node's home with its settings and its key. Raises ConfigError when it exists already."""
    folder = folder or node_home(config.name)
    if (folder / "node.json").exists():
        raise ConfigError(f"{folder} is a node already.", hint="Choose another name or --home.")
    save_config(folder, config)
    node = Node(folder)
    _ = node.signer  # creates the key
    return node
