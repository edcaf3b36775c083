"""Content of the Binder image besides packages: the embedding model's ONNX graph, and an indexed demo network.

The graph is fetched from its publisher by digest. If it cannot be fetched, torch exports it, from a folder that is
removed afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from knet.embed.load import load_embedder
from knet.errors import MissingExtra, ModelNotFound
from knet_indexer.demo.network import DemoNetwork
from knet_indexer.demo.owners import OWNERS

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
NODES = ("stdlib", "numpy", "mirror")  # the nodes that `start` names
EXPORT = "from knet.embed.load import load_embedder; load_embedder()"


def say(text: str) -> None:
    print(f"knet: {text}", flush=True)


def fetch_or_export_graph() -> None:
    """Put a checked ONNX graph under KNET_HOME."""
    try:
        load_embedder(notify=say)
    except (MissingExtra, ModelNotFound) as error:
        say(f"{error} Exporting it with a torch that is removed again.")
        with tempfile.TemporaryDirectory() as folder:
            wanted = ["-c", str(CONSTRAINTS), "onnx", "sentence-transformers"]
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--target", folder]
            subprocess.run([*pip, *wanted], check=True)
            subprocess.run([sys.executable, "-c", EXPORT], env={**os.environ, "PYTHONPATH": folder}, check=True)
        load_embedder()


def index_everything() -> None:
    """Start the demo network once, so that later starts find its documents embedded and published."""
    phases: dict[str, str] = {}

    def report(title: str, phase: str, done: int, total: int) -> None:
        if phases.get(title) != phase:
            phases[title] = phase
            say(f"{title}: {phase}")

    network = DemoNetwork([owner for owner in OWNERS if owner.name in NODES])
    try:
        network.start(report, fresh=True)
    finally:
        network.stop()


if __name__ == "__main__":
    fetch_or_export_graph()
    index_everything()
