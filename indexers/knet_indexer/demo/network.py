"""Start and stop of the embedded network: a chain, and one process, key and store for each node."""

from __future__ import annotations

import atexit
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from knet.chain.devchain import start_network, stop_network
from knet.config import Profile, home, load_profile
from knet.errors import IndexerError, NodeBusy
from knet.files import make_folder

from ..child import SERVING, progress_of, start_command, stop_commands
from ..config import NodeConfig, SourceConfig, node_home, save_config
from ..sources import parse_source
from .owners import OWNERS, Owner
from .pollution import falsify

NAME = "demo"
READY_SECONDS = 240.0  # a first start embeds all documents, also on a slow machine
POLL_SECONDS = 0.2

# Called while a node starts with its title, the phase, the amount done and the total.
OnProgress = Callable[[str, str, int, int], None]


class DemoNetwork:
    """The chain and the node processes. Nodes end with this process, however it ends."""

    def __init__(self, owners: list[Owner] = OWNERS) -> None:
        self.owners = owners
        self._processes: list[subprocess.Popen[str]] = []
        # A server starts the network in one thread and stops it in another.
        self._lock = FileLock(home() / "networks" / f"{NAME}.lock", thread_local=False, mode=0o600)

    def start(self, on_progress: OnProgress, *, fresh: bool = False) -> Profile:
        """Start everything and wait until every node serves its publication.

        ``fresh`` first deletes the files of an earlier demo. Raises NodeBusy when the demo is running already,
        IndexerError, ChainError.
        """
        self._take()
        _ready_file().unlink(missing_ok=True)
        if fresh:
            remove_demo()
        on_progress("chain", "starting", 0, 0)
        profile = start_network(NAME, default=False)
        on_progress("chain", "ready", 1, 1)
        ports = _free_ports(len(self.owners))
        by_name = {owner.name: owner for owner in self.owners}
        waits = []
        for owner, port in zip(self.owners, ports, strict=True):
            on_progress(owner.title, "reading documentation", 0, 0)
            _prepare(owner, by_name.get(owner.mirrors), port)
            waits.append(self._spawn(owner, on_progress))
        for wait in waits:
            wait()
        _ready_file().touch()
        return profile

    def _take(self) -> None:
        make_folder(Path(self._lock.lock_file).parent)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise NodeBusy(
                "The demo network is running already.", hint="Use it with `knet ask --profile demo`, or stop it."
            ) from error

    def _spawn(self, owner: Owner, on_progress: OnProgress) -> Callable[[], None]:
        folder = _folder(owner)
        process = start_command(folder / "node.log", "up", folder.name, "--attached")
        self._processes.append(process)
        serving, ended = threading.Event(), threading.Event()
        progress = (process, owner.title, on_progress, serving, ended)
        threading.Thread(target=_read, args=progress, daemon=True).start()

        def wait() -> None:
            if not ended.wait(READY_SECONDS) or not serving.is_set():
                reason = (folder / "node.log").read_text()[-500:].strip()
                raise IndexerError(f"the demo node {owner.title} did not start: {reason or 'it reported nothing'}.")

        return wait

    def stop(self) -> None:
        """Stop the nodes and the chain; their state stays on disk."""
        stop_commands(self._processes)
        self._processes.clear()
        if self._lock.is_locked:
            _ready_file().unlink(missing_ok=True)
            stop_network(NAME)
            self._lock.release()


def remove_demo() -> None:
    """Delete the files of an earlier demo: its nodes, its chain, its ratings."""
    stop_network(NAME)
    for folder in (home() / "networks" / NAME, *(_folder(owner) for owner in OWNERS)):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (home() / "cache" / f"{NAME}.json", home() / "ratings" / f"{NAME}.json"):
        file.unlink(missing_ok=True)


def connect() -> Profile:
    """Start the demo network until this process ends, or return the running one; for `knet.connect("demo")`.

    Raises IndexerError when another process does not finish its start in time.
    """
    network = DemoNetwork()
    seen: dict[str, str] = {}

    def show(title: str, phase: str, done: int, total: int) -> None:
        if seen.get(title) != phase:
            seen[title] = phase
            print(f"knet demo: {title}: {phase}", file=sys.stderr, flush=True)

    atexit.register(network.stop)
    try:
        return network.start(show)
    except NodeBusy:
        wait_until_ready(show)
        return load_profile(NAME)


def wait_until_ready(on_progress: OnProgress) -> None:
    """Wait until the nodes of another process's network serve. Raises IndexerError when they are late."""
    until = time.monotonic() + READY_SECONDS
    if not _ready_file().exists():
        on_progress("network", "another process is starting it", 0, 0)
    while not _ready_file().exists():
        if time.monotonic() > until:
            raise IndexerError("the demo network of another process is not ready in time.", hint="Stop it and retry.")
        time.sleep(POLL_SECONDS)


def _ready_file() -> Path:
    """Return the path of a file that exists while the nodes of a running demo serve."""
    return home() / "networks" / f"{NAME}.ready"


def _folder(owner: Owner) -> Path:
    return node_home(f"{NAME}-{owner.name}")


def _prepare(owner: Owner, mirrored: Owner | None, port: int) -> None:
    folder = _folder(owner)
    source = SourceConfig(spec=owner.spec, options=owner.options)
    if mirrored is not None:
        _write_falsified(mirrored, folder / "documents")
        source = SourceConfig(spec=f"folder:{folder / 'documents'}")
    save_config(folder, NodeConfig(name=owner.title, profile=NAME, sources=[source], port=port))


def _write_falsified(owner: Owner, target: Path) -> None:
    if target.exists():
        return
    make_folder(target)
    for item in parse_source(owner.spec, **owner.options).items():
        (target / f"{item.title}.md").write_text(falsify(item.read().text))


def _read(
    process: subprocess.Popen[str],
    title: str,
    on_progress: OnProgress,
    serving: threading.Event,
    ended: threading.Event,
) -> None:
    """Pass on a node's progress; ``ended`` is set at the end of its start, ``serving`` before that if it succeeded."""
    for event in progress_of(process):
        on_progress(title, event["phase"], event.get("done", 0), event.get("total", 0))
        if event["phase"] == SERVING:
            serving.set()
            ended.set()
    ended.set()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
