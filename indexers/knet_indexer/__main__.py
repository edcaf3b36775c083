"""`python -m knet_indexer` is `knet node`."""

from __future__ import annotations

from .cli.main import app

app(prog_name="knet node")
