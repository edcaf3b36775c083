"""Nodes of the user's own: child processes over folders of the workspace, which end with the server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from knet.config import Profile
from knet.errors import ConfigError, IndexerError, KnetError, NodeBusy
from knet.records import Record
from knet_indexer.config import NodeConfig, SourceConfig, free_port, load_config, node_home, nodes_folder
from knet_indexer.demo.network import NAME as DEMO
from knet_indexer.node import create_node

SERVING = "serve"
STOP_SECONDS = 10.0
SHOWN_LOG = 500  # characters of what a node said last: its error, on one line


class LocalNode(Record, frozen=True):
    """A node of mine: ``state`` is off | starting | serving | syncing | stopping | failed | elsewhere (it answers, and
    was not started here); ``total`` is 0 while nobody knows."""

    name: str
    sources: list[str]
    profile: str
    state: str = "off"
    phase: str = ""
    done: int = 0
    total: int = 0
    detail: str = ""
    endpoint: str = ""  # by which the network's nodes are told apart as mine


class LocalNodes:
    """Starts, syncs and stops nodes. Safe to use from several threads; close it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()

    def nodes(self) -> list[LocalNode]:
        """Every node of this user but those of the demo, by name; one whose settings cannot be read says why."""
        found = sorted(path.parent.name for path in nodes_folder().glob("*/node.json"))
        return [self._known(name) for name in found if not name.startswith(f"{DEMO}-")]

    def _known(self, name: str) -> LocalNode:
        try:
            return self._node(name)
        except KnetError as error:
            return LocalNode(name=name, sources=[], profile="", state="failed", detail=str(error))

    def start(self, name: str, folder: str, profile: Profile, *, endpoint: str = "") -> LocalNode:
        """Start a node, made over a folder of the workspace if there is none of that name.

        Without a folder, one that there is. Raises ConfigError for a folder outside the workspace, or another than the
        node is over, or where others could not reach the node; NodeBusy when it runs already, or has not stopped yet.
        """
        home = node_home(name)
        if not (home / "node.json").exists():
            self._create(home, name, folder, profile, endpoint)
        elif folder and [f"folder:{self._inside(folder)}"] != [s.spec for s in load_config(home).sources]:
            raise ConfigError(f"there is a node {name} already, over something else.", hint="Choose another name.")
        with self._lock:
            running = self._running.get(name)
            if running is not None and running.stopping:
                raise NodeBusy(f"node {name} is being stopped.", hint="Start it again in some seconds.")
            if running is not None and running.is_alive():
                raise NodeBusy(f"node {name} runs already.")
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
        """A folder by what it is: a link may lead to one that is hidden, or elsewhere. Raises ConfigError."""
        try:
            path = (self._root / folder.strip("/")).resolve(strict=True)
            parts = path.relative_to(self._root).parts
        except (OSError, RuntimeError, ValueError):  # not there, a link in a circle, outside
            parts = ()
        if not parts or any(part.startswith(".") for part in parts) or not path.is_dir():
            raise ConfigError(f"{folder[:80]!r} is no folder of this workspace.")
        return path

    def sync(self, name: str) -> LocalNode:
        """Index what changed and publish it, beside the process that serves. Raises NodeBusy, ConfigError."""
        home = node_home(name)
        load_config(home)
        with self._lock:
            running = self._running.get(name)
            if running is None or running.stopping or not running.is_alive():
                raise ConfigError(f"node {name} does not run.", hint="Start it; that also syncs it.")
            if running.syncing:
                raise NodeBusy(f"node {name} is being synced.")
            running.sync()
        return self._node(name)

    def stop(self, name: str) -> LocalNode:
        """Stop a node that was started here: it is there, and stopping, until it ended. Raises ConfigError when it was
        not."""
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
        return LocalNode(
            name=name,
            sources=[self._shown(s.spec) for s in config.sources],
            profile=config.profile,
            endpoint=config.public_endpoint,
            **state,
        )

    def _shown(self, spec: str) -> str:
        """A folder as the file browser names it."""
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
    """The process of one node, what it said last, and the syncs beside it."""

    def __init__(self, home: Path, *command: str) -> None:
        self._home = home
        self._process = self._spawn("node.log", *command)
        self._sync: subprocess.Popen[str] | None = None
        self._said: dict[str, Any] = {"phase": "starting"}
        self._serving = False
        self.syncing = False
        self._failure = ""
        self.stopping = False
        self._lock = threading.Lock()  # nothing is started once it is stopping
        threading.Thread(target=self._follow, daemon=True, name=f"knet-own-{home.name}").start()

    def _spawn(self, log_name: str, *command: str) -> subprocess.Popen[str]:
        try:
            with (self._home / log_name).open("w") as log:
                return subprocess.Popen(
                    [sys.executable, "-m", "knet_indexer", *command, "--json"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        except OSError as error:
            raise IndexerError(f"node {self._home.name}: {command[0]} cannot be started: {error.strerror}.") from error

    def _follow(self) -> None:
        for said in _lines(self._process.stdout):
            self._said = said
            self._serving = self._serving or said.get("phase") == SERVING
        self._process.wait()
        if not self.stopping:
            self._failure = self._last_words("node.log") or "It ended."

    def sync(self) -> None:
        self.syncing, self._failure = True, ""
        threading.Thread(target=self._sync_and_publish, daemon=True, name=f"knet-sync-{self._home.name}").start()

    def _sync_and_publish(self) -> None:
        try:
            for step in ("sync", "publish"):
                with self._lock:
                    if self.stopping:
                        return
                    self._sync = self._spawn("sync.log", step, self._home.name, "--lines")
                self._said = {"phase": step}
                for said in _lines(self._sync.stdout):
                    self._said = {"phase": step, **said}
                if self._sync.wait() and not self.stopping:
                    self._failure = self._last_words("sync.log") or f"The {step} failed."
                    return
        except IndexerError as error:
            self._failure = str(error)
        finally:
            self._sync, self.syncing = None, False

    def _last_words(self, log_name: str) -> str:
        with suppress(OSError):
            return " ".join((self._home / log_name).read_text(errors="replace")[-SHOWN_LOG:].split())
        return ""

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def state(self) -> dict[str, Any]:
        """The fields of `LocalNode` that tell what goes on."""
        if self.stopping:
            return {"state": "stopping"}
        if not self.is_alive():
            return {"state": "failed", "detail": self._failure}
        if self.syncing or not self._serving:
            progress = {key: self._said.get(key, 0) for key in ("done", "total")}
            state = "syncing" if self.syncing else "starting"
            return {"state": state, "phase": str(self._said.get("phase", "")), **progress}
        return {"state": "serving", "detail": self._failure}

    def tell_to_stop(self) -> None:
        with self._lock:
            self.stopping = True
        for process in self._processes():
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()

    def wait(self, until: float) -> None:
        """For its end, which comes by force at ``until`` (monotonic seconds)."""
        for process in self._processes():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _processes(self) -> list[subprocess.Popen[str]]:
        return [process for process in (self._sync, self._process) if process is not None]


def _stop(running: Sequence[_Running]) -> None:
    """All at once."""
    for one in running:
        one.tell_to_stop()
    until = time.monotonic() + STOP_SECONDS
    for one in running:
        one.wait(until)


def _lines(stream: IO[str] | None) -> Iterator[dict[str, Any]]:
    assert stream is not None
    with stream:
        for line in stream:
            with suppress(json.JSONDecodeError):
                yield json.loads(line)
