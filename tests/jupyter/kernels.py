"""A real IPython kernel in a process of its own, asking a small network that this process runs.

The kernel's only difference from a user's is its embedder: the tests' `WordEmbedder`, which loads in no time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from knet.config import Profile, save_profile
from tests.network.clients import own_network
from tests.network.support import start_nodes

ROOT = Path(__file__).resolve().parents[2]
PATIENT = 120.0  # seconds for one cell: what only a broken kernel or a dead machine reaches
QUESTION = "How does a beaver build a dam?"
EVIL_TITLE = "<img src=x onerror=alert(1)>"
COLLECTIONS = [
    {
        "beaver.md": "A beaver builds a dam of branches, mud and stones across a stream to raise its water.",
        "teeth.md": "The front teeth of a beaver are orange, since iron makes their enamel hard.",
    },
    {f"{EVIL_TITLE}.md": "An otter builds no dam <script>alert(2)</script> and lives in burrows along the stream."},
]
WITH_TEST_EMBEDDER = """
import os, pathlib
import knet.client.network
from knet.config import load_profile
from tests.network.clients import open_client
knet.client.network.connect = lambda name: open_client(load_profile(name), pathlib.Path(os.environ["KNET_HOME"]))
"""

Message = dict[str, Any]


@contextmanager
def network(devnet: Profile, folder: Path) -> Iterator[Profile]:
    """Run the nodes of `COLLECTIONS` on a separate network."""
    with start_nodes(folder, own_network(devnet, "kernels"), COLLECTIONS) as nodes:
        yield nodes[0].node.profile


class Kernel:
    """A running kernel; `run` executes a cell and returns its outputs."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> list[Message]:
        """Run a cell and return its output messages, errors included, as content dicts with their ``type``."""
        seen: list[Message] = []
        self.client.execute_interactive(
            code, output_hook=lambda message: seen.append(content_of(message)), timeout=PATIENT, store_history=False
        )
        return [message for message in seen if message["type"] not in ("status", "execute_input")]

    def value(self, code: str) -> str:
        """Run a cell and return its result as plain text. Fails if the cell fails."""
        (result,) = [message for message in self.run(code) if message["type"] in ("execute_result", "error")]
        assert result["type"] == "execute_result", result
        return str(result["data"]["text/plain"])

    def click(self, comm: str, content: Message) -> None:
        """Send the message of a pressed button of a widget."""
        data = {"method": "custom", "content": content}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", {"comm_id": comm, "data": data}))

    def states(self, comm: str) -> Iterator[Message]:
        """Yield each change of a widget's state."""
        until = time.monotonic() + PATIENT
        while time.monotonic() < until:
            try:
                message = content_of(self.client.get_iopub_msg(timeout=1))
            except Empty:
                continue
            if message["type"] == "comm_msg" and message["comm_id"] == comm:
                yield message["data"].get("state", {})
        raise AssertionError("the widget said nothing more")


def content_of(message: Message) -> Message:
    return {"type": message["header"]["msg_type"], **message["content"]}


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a kernel with the knet folder ``home``."""
    paths = [str(ROOT), str(ROOT / "indexers"), str(ROOT / "jupyter_ext"), os.environ.get("PYTHONPATH", "")]
    own = {
        "KNET_HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return {name: value for name, value in os.environ.items() if name != "KNET_PROFILE"} | own


def join(profile: Profile, home: Path) -> None:
    """Make a network the default of a knet folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", str(home))
        save_profile(profile, default=True)


@contextmanager
def kernel(profile: Profile, home: Path) -> Iterator[Kernel]:
    """Start a kernel of a user with a default network."""
    join(profile, home)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment(home), cwd=str(home))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENT)
        started = Kernel(client)
        assert [message for message in started.run(WITH_TEST_EMBEDDER) if message["type"] == "error"] == []
        yield started
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
