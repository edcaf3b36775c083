"""`python -m tests.indexer.slow_sync HOME`: a sync in tiny batches that prints a line at each step, to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from knet_indexer import sync as stage
from tests.network.support import open_node

stage.BATCH_CHUNKS = stage.EMBED_BATCH = 8


def tell(phase: str, done: int, total: int) -> None:
    if phase != "list":
        print(phase, done, total, flush=True)


stage.sync(open_node(Path(sys.argv[1])), progress=tell)
