"""Write docs/openapi.json: what every node's `/openapi.json` says, but for the node's own name and description."""

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
    """The document of a node called "example"."""
    with tempfile.TemporaryDirectory() as folder:
        save_config(Path(folder), NodeConfig(name="example", description="What the node's owner says it is about."))
        return create_app(Node(Path(folder))).openapi()


def text() -> str:
    """The file's content."""
    return json.dumps(generate(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
