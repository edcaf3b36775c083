"""Local nodes: child processes that index and serve folders of the workspace, and end with the server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from knet.config import Profile
from knet.errors import ConfigError, IndexerError, KnetError, NodeBusy
from knet.records import Record
from knet_indexer.child import SERVING, progress_of, start_command, stop_commands
from knet_indexer.config import NodeConfig, SourceConfig, free_port, load_config, node_home, node_names
from knet_indexer.demo.network import NAME as DEMO
from knet_indexer.ingest.account import INCOMPLETE, read_account
from knet_indexer.node import create_node

SHOWN_LOG = 500  # characters of the end of a node's log: its error, on one line


class LocalNode(Record, frozen=True):
    """A node of this user; ``elsewhere`` means that it answers but was not started here.

    ``total`` is 0 while the amount of work is unknown. ``account`` is that of the last sync, in words.
    """

    name: str
    sources: list[str]
    profile: str
    state: Literal["off", "starting", "serving", "syncing", "stopping", "failed", "elsewhere"] = "off"
    phase: str = ""
    done: int = 0
    total: int = 0
    detail: str = ""
    account: str = ""
    failures: int = 0  # sources and parts that the last sync could not list
    endpoint: str = ""  # identifies the node among those of the network


class LocalNodes:
    """The local nodes of a workspace. Safe to use from several threads; close it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def nodes(self) -> list[LocalNode]:
        """Return every node of this user by name, except those of the demo; a broken one has its error as detail."""
        return [self._known(name) for name in node_names() if not name.startswith(f"{DEMO}-")]

    def _known(self, name: str) -> LocalNode:
        try:
            return self._node(name)
        except KnetError as error:
            return LocalNode(name=name, sources=[], profile="", state="failed", detail=error.described)

    def start(self, name: str, folder: str, profile: Profile, *, endpoint: str = "") -> LocalNode:
        """Start a node; a new name gets a new node over a folder of the workspace.

        An existing node needs no folder. Raises ConfigError for a folder outside the workspace or other than the
        node's, and for a node that others could not reach. Raises NodeBusy if the node runs or has not stopped yet.
        """
        home = node_home(name)
        if not (home / "node.json").exists():
            self._create(home, name, folder, profile, endpoint)
        elif folder and [f"folder:{self._inside(folder)}"] != [s.spec for s in load_config(home).sources]:
            raise ConfigError(f"node {name} exists and indexes another folder.", hint="Choose another name.")
        with self._lock:
            running = self._running.get(name)
            if running is not None and running.stopping:
                raise NodeBusy(f"node {name} is being stopped.", hint="Start it again in a few seconds.")
            if running is not None and running.is_alive():
                raise NodeBusy(f"node {name} is already running.")
            self._running[name] = _Running(home, "up", name, "--attached")
        return self._node(name)

    def _create(self, home: Path, name: str, folder: str, profile: Profile, endpoint: str) -> None:
        path = self._inside(folder)
        if profile.addresses == "public" and not endpoint:
            raise ConfigError(
                f"Others on {profile.name} could not reach node {name}.", hint="Give the URL at which they can."
            )
        source = SourceConfig(spec=f"folder:{path}")
        create_node(
            home, NodeConfig(name=name, profile=profile.name, sources=[source], port=free_port(), endpoint=endpoint)
        )

    def _inside(self, folder: str) -> Path:
        """Return a folder with its links resolved. Raises ConfigError for a hidden one and an outside one."""
        try:
            path = (self._root / folder.strip("/")).resolve(strict=True)
            parts = path.relative_to(self._root).parts
        except (OSError, RuntimeError, ValueError):  # missing, a link to itself, outside
            parts = ()
        if not parts or any(part.startswith(".") for part in parts) or not path.is_dir():
            raise ConfigError(f"{folder[:80]!r} is not a folder of this workspace.")
        return path

    def sync(self, name: str) -> LocalNode:
        """Index the changes and publish them, while the node serves. Raises NodeBusy, ConfigError."""
        home = node_home(name)
        load_config(home)
        with self._lock:
            running = self._running.get(name)
            if running is None or running.stopping or not running.is_alive():
                raise ConfigError(f"node {name} is not running.", hint="Start it, which also syncs it.")
            if running.syncing:
                raise NodeBusy(f"node {name} is being synced.")
            running.sync()
        return self._node(name)

    def stop(self, name: str) -> LocalNode:
        """Stop a node that was started here, and wait for its end. Raises ConfigError for any other node."""
        running = self._running.get(name)
        if running is None:
            raise ConfigError(f"node {name} was not started here.")
        _stop([running])
        with self._lock:
            if self._running.get(name) is running:
                del self._running[name]
        return self._node(name)

    def _node(self, name: str) -> LocalNode:
        config = load_config(node_home(name))
        running = self._running.get(name)
        state = running.state() if running else {}
        account = read_account(node_home(name))
        return LocalNode(
            name=name,
            sources=[self._shown(s.spec) for s in config.sources],
            profile=config.profile,
            endpoint=config.public_endpoint,
            account=str(account) if account else "",
            failures=len(account.failures) if account else 0,
            **state,
        )

    def _shown(self, spec: str) -> str:
        """Return a source as the file browser names it."""
        kind, _, rest = spec.partition(":")
        path = Path(rest)
        inside = kind == "folder" and path.is_relative_to(self._root)
        return str(path.relative_to(self._root)) if inside else spec

    def close(self) -> None:
        """Stop every node."""
        with self._lock:
            running, self._running = list(self._running.values()), {}
        _stop(running)


class _Running:
    """The process of one node with its last progress, and its sync processes."""

    def __init__(self, home: Path, *command: str) -> None:
        self._home = home
        self._process = start_command(home / "node.log", *command)
        self._sync: subprocess.Popen[str] | None = None
        self._progress: dict[str, Any] = {"phase": "starting"}
        self._serving = False
        self.syncing = False
        self._failure = ""
        self.stopping = False
        self._lock = threading.Lock()  # guards against a start while the node stops
        threading.Thread(target=self._follow, daemon=True, name=f"knet-node-{home.name}").start()

    def _follow(self) -> None:
        for progress in progress_of(self._process):
            self._progress = progress
            self._serving = self._serving or progress.get("phase") == SERVING
        self._process.wait()
        if not self.stopping:
            self._failure = self._log_tail("node.log") or "The process ended without a message."

    def sync(self) -> None:
        """Start a sync in a thread."""
        self.syncing, self._failure = True, ""
        threading.Thread(target=self._sync_and_publish, daemon=True, name=f"knet-sync-{self._home.name}").start()

    def _sync_and_publish(self) -> None:
        try:
            for step in ("sync", "publish"):
                with self._lock:
                    if self.stopping:
                        return
                    self._sync = start_command(self._home / "sync.log", step, self._home.name, "--lines")
                self._progress = {"phase": step}
                for progress in progress_of(self._sync):
                    self._progress = {"phase": step, **progress}
                if self._sync.wait() not in (0, INCOMPLETE) and not self.stopping:
                    self._failure = self._log_tail("sync.log") or f"The {step} failed."
                    return
        except IndexerError as error:
            self._failure = error.described
        finally:
            self._sync, self.syncing = None, False

    def _log_tail(self, log_name: str) -> str:
        with suppress(OSError):
            return " ".join((self._home / log_name).read_text(errors="replace")[-SHOWN_LOG:].split())
        return ""

    def is_alive(self) -> bool:
        """Return True while the process runs."""
        return self._process.poll() is None

    def state(self) -> dict[str, Any]:
        """Return the fields of `LocalNode` that change while it runs."""
        if self.stopping:
            return {"state": "stopping"}
        if not self.is_alive():
            return {"state": "failed", "detail": self._failure}
        if self.syncing or not self._serving:
            progress = {key: self._progress.get(key, 0) for key in ("done", "total")}
            state = "syncing" if self.syncing else "starting"
            return {"state": state, "phase": str(self._progress.get("phase", "")), **progress}
        return {"state": "serving", "detail": self._failure}

    def begin_stop(self) -> list[subprocess.Popen[str]]:
        """Start no further process, and return those to stop."""
        with self._lock:
            self.stopping = True
        return [process for process in (self._sync, self._process) if process is not None]


def _stop(running: Sequence[_Running]) -> None:
    """Stop all of them in parallel."""
    stop_commands([process for one in running for process in one.begin_stop()])
