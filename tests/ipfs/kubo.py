"""Kubo itself, as a shared library: a repository of its own, one peer, one root to fetch and pin.

    python kubo.py LIBRARY REPOSITORY ROOT PEER     prints the CIDs it pinned, as JSON

In a process of its own, since it cannot be stopped from within when it looks for a block that no peer has.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

ANY_PORT = "/ip4/127.0.0.1/tcp/0"


def main(library: str, repository: str, root: str, peer: str) -> None:
    kubo = ctypes.CDLL(library)
    kubo.ListPins.restype = ctypes.c_char_p
    repo = repository.encode()
    assert kubo.CreateRepo(repo) == 1
    _keep_to_itself(Path(repository) / "config")
    assert kubo.RunNode(repo) == 1
    assert kubo.ConnectToPeer(repo, peer.encode()) == 0
    assert kubo.PinCID(repo, root.encode()) == 0
    print(kubo.ListPins(repo).decode())
    kubo.CleanupNode(repo)


def _keep_to_itself(config: Path) -> None:
    settings = json.loads(config.read_text())
    settings["Bootstrap"] = []
    settings["Addresses"]["Swarm"] = [ANY_PORT]
    settings["Discovery"]["MDNS"]["Enabled"] = False
    settings["Routing"] = {"Type": "none"}
    config.write_text(json.dumps(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
