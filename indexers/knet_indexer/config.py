"""A node's settings, stored as `node.json` in its home folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from knet.codec import from_json, to_json
from knet.config import DEFAULT_MODEL, home
from knet.errors import CodecError, ConfigError
from knet.files import write_atomically
from knet.records import Record

FIRST_PORT = 4180  # of the first node of a machine; the next node listens one port higher


class SourceConfig(Record, frozen=True):
    """One source of documents: a spec that `knet_indexer.sources` reads, and its options."""

    spec: str
    options: dict[str, str] = {}


class NodeConfig(Record, frozen=True):
    """The owner's settings of a node. An empty ``profile`` means the default; an empty ``endpoint``, host and port."""

    name: str
    description: str = ""
    profile: str = ""
    model: str = DEFAULT_MODEL
    sources: list[SourceConfig] = []
    languages: list[str] = []
    licence: str = ""
    access: str = "public"
    cost: int = 0  # wei for each query
    rate: float = 10.0  # searches a second for each client address; 0: unlimited
    bandwidth: float = 8.0  # MiB a second of downloads for each client address; 0: unlimited
    host: str = "127.0.0.1"
    port: int = FIRST_PORT
    index: str = ""  # "module:function" that opens a LangChain vector store; empty: the node's own index
    grace: float = 24.0  # hours until the text of a removed document is deleted: readers of the version before finish
    forgotten: list[str] = []  # uris of documents that are taken back, and left out of each sync
    allow: list[str] = []  # documents to publish although they seem to hold secrets, by path in a source or by uri
    endpoint: str = ""  # public URL, if it is not http://host:port

    @property
    def public_endpoint(self) -> str:
        """The URL to announce on chain, without a trailing slash."""
        return (self.endpoint or f"http://{self.host}:{self.port}").rstrip("/")


def node_names() -> list[str]:
    """Return the name of each node of this user, in order."""
    return sorted(path.parent.name for path in (home() / "nodes").glob("*/node.json"))


def node_home(name: str) -> Path:
    """Return the default home of a node. Raises ConfigError for a name that is not a valid folder name."""
    if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
        raise ConfigError(f"node name {name!r}: it is not valid.", hint="Use letters, digits and dashes.")
    return home() / "nodes" / name


def load_config(folder: Path) -> NodeConfig:
    """Return the settings in a node's home. Raises ConfigError."""
    path = folder / "node.json"
    try:
        return from_json(path.read_bytes(), NodeConfig)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{folder}: there is no node here.", hint=f"Create one with `knet node init {folder.name}`."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except CodecError as error:
        raise ConfigError(f"{path} is not a valid settings file: {error}") from error


def save_config(folder: Path, config: NodeConfig) -> None:
    """Write a node's settings, whole or not at all. Raises ConfigError."""
    try:
        write_atomically(folder / "node.json", to_json(config, indent=2).encode() + b"\n")
    except OSError as error:
        raise ConfigError(f"{folder}/node.json cannot be written: {error.strerror}.") from error


def free_port() -> int:
    """Return a port that no other node of this user has."""
    taken = set()
    for name in node_names():
        with suppress(ConfigError):  # another node's damaged settings do not matter here
            taken.add(load_config(node_home(name)).port)
    return next(port for port in range(FIRST_PORT, 65536) if port not in taken)
