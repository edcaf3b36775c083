"""A node's settings, as `node.json` in its home folder keeps them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from knet.codec import from_json, to_json
from knet.config import DEFAULT_MODEL, home
from knet.errors import CodecError, ConfigError
from knet.files import write_atomically
from knet.records import Record

FIRST_PORT = 4180  # the first node of a machine listens here, the next one port higher


class SourceConfig(Record, frozen=True):
    """One source of documents: a spec that `knet_indexer.sources` reads, and its options."""

    spec: str
    options: dict[str, str] = {}


class NodeConfig(Record, frozen=True):
    """What an owner decides about a node. ``profile`` and ``endpoint`` may be empty: the default, and host and port."""

    name: str
    description: str = ""
    profile: str = ""
    model: str = DEFAULT_MODEL
    sources: list[SourceConfig] = []
    languages: list[str] = []
    licence: str = ""
    access: str = "public"
    cost: int = 0  # wei a query
    rate: float = 10.0  # searches a second that one client address may ask for; 0: any number
    bandwidth: float = 8.0  # MiB a second that one client address is sent of what it fetches; 0: any amount
    host: str = "127.0.0.1"
    port: int = FIRST_PORT
    index: str = ""  # "module:function" that opens a LangChain vector store; empty: its own index
    endpoint: str = ""  # where others reach the node, if that is not http://host:port

    @property
    def public_endpoint(self) -> str:
        """The URL to announce on chain, without a slash at its end."""
        return (self.endpoint or f"http://{self.host}:{self.port}").rstrip("/")


def nodes_folder() -> Path:
    """Where nodes live unless told otherwise."""
    return home() / "nodes"


def node_home(name: str) -> Path:
    """The default home of a node. Raises ConfigError for a name that is no folder name."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise ConfigError(f"{name!r} cannot name a node.", hint="Use letters, digits and dashes.")
    return nodes_folder() / name


def load_config(folder: Path) -> NodeConfig:
    """The settings in a node's home. Raises ConfigError."""
    path = folder / "node.json"
    try:
        return from_json(path.read_bytes(), NodeConfig)
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no node in {folder}.", hint=f"Create one with `knet node init {folder.name}`."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except CodecError as error:
        raise ConfigError(f"{path} does not hold a node's settings: {error}") from error


def save_config(folder: Path, config: NodeConfig) -> None:
    """Write a node's settings, whole or not at all. Raises ConfigError."""
    try:
        write_atomically(folder / "node.json", to_json(config, indent=2).encode() + b"\n")
    except OSError as error:
        raise ConfigError(f"{folder}/node.json cannot be written: {error.strerror}.") from error


def free_port() -> int:
    """A port that no other node of `nodes_folder` was given."""
    taken = set()
    for path in nodes_folder().glob("*/node.json"):
        with suppress(ConfigError):  # a damaged neighbour is not this node's problem
            taken.add(load_config(path.parent).port)
    return next(port for port in range(FIRST_PORT, 65536) if port not in taken)
