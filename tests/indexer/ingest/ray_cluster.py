"""A real Ray cluster for tests: a head that only coordinates, and workers of one core each."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

# `ray start` gives its processes half a minute to appear: too little where many tests share two cores.
RAY_START = """
import time
from ray._private import services
from ray.scripts.scripts import main
get_node_once = services.get_node

def get_node(*arguments):
    end = time.monotonic() + 120
    while True:
        try:
            return get_node_once(*arguments)
        except RuntimeError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)

services.get_node = get_node
main()
"""
ATTEMPTS = 3
# Ports that Ray would otherwise read from files, with the same short wait.
AGENTS = ("metrics-export", "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent")
ENVIRONMENT = {  # for busy machines: slow processes are not declared dead
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_health_check_failure_threshold": "100",
    "RAY_USAGE_STATS_ENABLED": "0",
}
LONGEST = "1200"  # seconds: the cluster ends even if the tests are killed
MEMORY = 80 << 20  # bytes of object store, the minimum of Ray


class Cluster:
    """A running cluster; ``url`` is for `knet node sync --executor`."""

    def __init__(self, url: str, workers: list[psutil.Process]) -> None:
        self.url = url
        self._workers = workers

    def busy(self) -> list[psutil.Process]:
        """Return the processes that run tasks of knet."""
        processes = (process for worker in self._workers for process in worker.children(recursive=True))
        return [
            process for process in processes if any(name in _title(process) for name in ("ray::embed", "ray::read"))
        ]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """Run a cluster on this machine, without a dashboard, isolated from others, without usage statistics."""
    ports = free_port(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="kr", dir="/tmp"))  # short: socket paths are limited
    head = ["--head", f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=0"]
    options = [f"--temp-dir={folder}", "--include-dashboard=false", "--disable-usage-stats"]
    worker = [f"--address=127.0.0.1:{ports[0]}", "--num-cpus=1"]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_started([*head, *options], folder / "head.log"))
        trees = [stack.enter_context(_started(worker, folder / f"worker-{n}.log")) for n in range(workers)]
        yield Cluster(f"ray://127.0.0.1:{ports[1]}", trees)


@contextmanager
def _started(arguments: list[str], log: Path) -> Iterator[psutil.Process]:
    """Run `ray start` and stop its process tree at the end."""
    tree = next(filter(None, (_start(arguments, log) for _ in range(ATTEMPTS))), None)
    assert tree is not None, log.read_text()
    try:
        yield tree
    finally:
        _end(tree)


def _start(arguments: list[str], log: Path) -> psutil.Process | None:
    # Objects are small and kept on disk: containers have little /dev/shm.
    limits = [f"--object-store-memory={MEMORY}", "--plasma-directory=/tmp", "--block"]
    ports = [f"--{agent}-port={free_port()}" for agent in AGENTS]
    with log.open("wb") as out:
        command = ["timeout", LONGEST, sys.executable, "-c", RAY_START, "start", *arguments, *limits, *ports]
        tree = psutil.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **ENVIRONMENT})
    while tree.poll() is None:
        if b"Ray runtime started" in log.read_bytes():
            return tree
        time.sleep(0.1)
    return None


def _end(tree: psutil.Process) -> None:
    children = tree.children(recursive=True) if tree.is_running() else []
    for each in (tree, *children):  # a clean stop takes Ray a dozen seconds
        with suppress(psutil.NoSuchProcess):
            each.kill()
    tree.wait()


def free_port() -> int:
    """Return a port without a listener."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
