"""Build and open what Binder would, without Docker: ``python tools/test_binder.py``.

In a copy of the tree, as an ordinary user with an empty home and a new environment: requirements, ``postBuild``,
``start`` with JupyterLab, the whole guided tour, and at the same time a question as the ask panel sends it. Fails
above 2 GiB of memory for all processes, or 60 s from the start to the first answer in the tour or the panel. CI shares
its machine, so it gives ``--first-answer`` a higher limit.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).resolve().parents[1]
GUIDE = "docs/tutorial/guide.ipynb"
MAX_MEMORY = 2 << 30  # bytes, what Binder gives a visitor
MAX_FIRST_ANSWER = 60.0  # seconds
BUILD_SECONDS = 3600.0  # Binder's own ceiling
TOUR_SECONDS = 900.0
TOKEN = "tour"
QUESTION = "What does heapq.heapreplace pop and return?"
SAMPLE_SECONDS = 0.25
OWN = (
    "PYTHON",
    "VIRTUAL_ENV",
    "KNET_",
    "XDG_",
    "JUPYTER",
    "IPYTHON",
    "MAKE",
    "HOME",
    "USER",
    "LOGNAME",
)  # not Binder's
IGNORING = (".gitignore", "jupyter_ext/.gitignore")
ORDINARY = "nobody"  # the user of the test when the caller is root; prose: quoted

TOUR = """
import json, sys, time
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
answers = []

def executed(cell, cell_index, execute_reply):
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    answers.extend(time.time() for bundle in data if "application/vnd.knet.answer+json" in bundle)

NotebookClient(notebook, timeout=600, kernel_name="python3", on_cell_executed=executed).execute()
nbformat.write(notebook, "executed.ipynb")
print(json.dumps(answers))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, help="work in this folder and keep it (default: a temporary folder)")
    parser.add_argument("--models", type=Path, help="take the ONNX graph from this folder instead of the model hub")
    parser.add_argument("--first-answer", type=float, default=MAX_FIRST_ANSWER, help="maximum seconds from the start")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="knet-binder-") as temporary:
        binder = Binder(options.folder or Path(temporary))
        if options.models:
            binder.take_models(options.models)
        built = binder.build()
        seconds, peak = binder.open()
    first = max(seconds["first answer"], seconds["first answer in the panel"])
    print(
        f"knet binder: built in {built:.0f} s; after start: "
        + ", ".join(f"{name} {after:.0f} s" for name, after in sorted(seconds.items(), key=lambda each: each[1]))
        + f"; peak memory {peak / (1 << 20):.0f} MiB"
    )
    if peak > MAX_MEMORY:
        sys.exit(f"knet binder: the peak memory exceeds the {MAX_MEMORY >> 20} MiB of a visitor")
    if first > options.first_answer:
        sys.exit(f"knet binder: the first answer took longer than {options.first_answer:.0f} s")


class Binder:
    """One build in one folder: ``tree`` is the checkout, ``home`` its user's, ``venv`` the environment."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.home, self.venv = folder / "tree", folder / "home", folder / "venv"
        self.copied: Path | None = None  # of the interpreter
        self.user = pwd.getpwnam(ORDINARY) if os.getuid() == 0 else None
        for path in (folder, self.home):
            path.mkdir(parents=True, exist_ok=True)
        copy_tree(self.tree)
        if self.user:
            give(folder, self.user.pw_uid, self.user.pw_gid)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        path = os.pathsep.join([str(self.venv / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
        if self.copied:
            kept["LD_LIBRARY_PATH"] = str(self.copied / "lib")  # the folder of its own libpython
        return {**kept, "HOME": str(self.home), "PATH": path, "KNET_HOME": str(self.home / "knet")}

    def start(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
        """Start a process of the ordinary user in the tree."""
        if self.user:
            options |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        arguments = [str(part) for part in command]
        return subprocess.Popen(arguments, cwd=self.tree, env=self.environment, text=True, **options)

    def run(self, command: Sequence[str | Path]) -> None:
        with self.start(command) as process:
            if process.wait(BUILD_SECONDS):
                sys.exit(f"knet binder: {command[0]} ended with exit status {process.returncode}")

    def interpreter(self) -> Path:
        """Return this Python, or a copy of it if the ordinary user may not enter its folder."""
        here = Path(sys.executable).resolve()
        with suppress(OSError), self.start([here, "-c", ""]) as process:
            if process.wait() == 0:
                return here
        base = Path(sys.base_prefix).resolve()
        self.copied = self.home / "python"
        left_out = shutil.ignore_patterns("__pycache__", "site-packages")
        shutil.copytree(base, self.copied, symlinks=True, ignore=left_out)
        return self.copied / here.relative_to(base)

    def take_models(self, models: Path) -> None:
        """Copy the models of an earlier build, which are checked before use."""
        target = self.home / "knet" / "models"
        shutil.copytree(models, target, dirs_exist_ok=True)
        if self.user:
            give(self.home, self.user.pw_uid, self.user.pw_gid)

    def build(self) -> float:
        """Run the requirements and `postBuild`. Returns their seconds, without the packages of Binder's base image."""
        self.run([self.interpreter(), "tools/make_venv.py", self.venv])
        self.run(["pip", "install", "--quiet", "-c", "constraints.txt", "jupyterlab", "nbclient"])
        started = time.monotonic()
        self.run(["pip", "install", "--quiet", "--no-cache-dir", "-r", "binder/requirements.txt"])
        self.run(["binder/postBuild"])
        return time.monotonic() - started

    def open(self) -> tuple[dict[str, float], int]:
        """Run `start`, the tour and the panel's question. Returns the times of each (s) and the peak memory (bytes)."""
        port = free_port()
        lab = ["jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
        started = time.time()
        with Watch() as watch, self.serving(["binder/start", *lab, f"--IdentityProvider.token={TOKEN}"], port):
            listening = time.time() - started
            tour = self.start([self.venv / "bin" / "python", "-c", TOUR, GUIDE], stdout=subprocess.PIPE)
            asked = ask_as_panel(port) - started
            said, _ = tour.communicate(timeout=TOUR_SECONDS)
            if tour.returncode:
                sys.exit("knet binder: the tour failed")
            answers = json.loads(said.splitlines()[-1])
            ready = (self.home / "knet" / "networks" / "demo.ready").stat().st_mtime - started
        seconds = {"JupyterLab": listening, "network": ready, "end of the tour": time.time() - started}
        firsts = {"first answer": answers[0] - started, "first answer in the panel": asked}
        return {**seconds, **firsts}, watch.peak

    @contextmanager
    def serving(self, command: Sequence[str], port: int) -> Iterator[None]:
        """Run a server from the moment it listens until the block ends, then kill it with its children."""
        server = self.start(command, start_new_session=True)
        try:
            wait_for_port(port, server)
            yield
        finally:
            for process in family(server.pid):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            server.wait()


class Watch:
    """Peak resident memory (bytes) of all child processes together."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(resident, psutil.Process().children(recursive=True))))


def ask_as_panel(port: int) -> float:
    """Ask on the server's route. Returns the time of the answer (unix seconds)."""
    body = json.dumps({"question": QUESTION}).encode()
    request = Request(f"http://127.0.0.1:{port}/knet/ask", body, {"Authorization": f"token {TOKEN}"})
    with urlopen(request, timeout=TOUR_SECONDS) as reply:
        for event in map(json.loads, reply):
            if event["event"] == "answer":
                return time.time()
            if event["event"] == "error":
                sys.exit(f"knet binder: the panel's question failed: {event['message']}")
    sys.exit("knet binder: the panel's question had no answer")


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


def family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def copy_tree(target: Path) -> None:
    """Copy the files of a checkout; without git, all files that are not ignored by name."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        ignored = [line.strip("/") for path in IGNORING for line in (ROOT / path).read_text().split()]
        shutil.copytree(ROOT, target, symlinks=True, ignore=shutil.ignore_patterns(".git", *ignored))
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def give(folder: Path, uid: int, gid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, server: subprocess.Popen[str]) -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(SAMPLE_SECONDS)
    sys.exit(f"knet binder: the server ended with exit status {server.returncode}")


if __name__ == "__main__":
    main()
