"""Writer of docs/openapi.json: the `/openapi.json` of every node, but for its name and description."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from knet_indexer.config import NodeConfig, save_config
from knet_indexer.node import Node
from knet_indexer.server.app import create_app

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"


def generate() -> dict[str, Any]:
    """Return the document of a node called "example"."""
    with tempfile.TemporaryDirectory() as folder:
        save_config(Path(folder), NodeConfig(name="example", description="Description by the node's owner."))
        return create_app(Node(Path(folder))).openapi()


def text() -> str:
    """Return the file's content."""
    return json.dumps(generate(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
