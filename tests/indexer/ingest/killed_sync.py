"""`python -m tests.indexer.ingest.killed_sync HOME`: sync, killed at random moments, until one run finishes.

Prints how many were killed. Children are forked, so that each begins at once and dies during the work itself.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

from knet_indexer.ingest import sync as sync_module
from knet_indexer.sources.base import parse_source
from tests.network.support import open_node

FIRST_MOMENT, LONGER = 0.01, 0.01  # seconds; each run may last a little longer, so that one finishes
RUNS = 200

sync_module.BATCH_CHUNKS = sync_module.EMBED_BATCH = 8  # many commits


def killed(home: Path, seconds: float) -> bool:
    """Return True when a sync was killed after this time."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, seconds)  # an unhandled SIGALRM ends a process as SIGKILL does
        sync_module.sync(open_node(home))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


parse_source(f"folder:{Path(__file__).parent}")  # import the reading modules once
generator = random.Random(7)
moments = (FIRST_MOMENT + generator.random() * LONGER * run for run in range(RUNS))
print(next(count for count, moment in enumerate(moments) if not killed(Path(sys.argv[1]), moment)))
