"""Docstrings that only a live object has (compiled code, mostly), read in a child process that may crash or hang."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .docstrings import DocstringEntry, Unresolved

CHILD = Path(__file__).with_name("live_docstrings_child.py")
IMPORT_SECONDS = 120.0  # seconds; importing every public module of a large scientific package takes some 20


def import_docstrings(wanted: Sequence[Unresolved], deadline: float = IMPORT_SECONDS) -> list[DocstringEntry]:
    """The documented objects among the wanted ones; nothing for a module that cannot be imported.

    The modules are imported in a process of their own, without standard input, display or browser, one after the
    other; what was told before a crash or the deadline (seconds) counts.
    """
    question = json.dumps([[item.module, item.names] for item in wanted])
    quiet = {"MPLBACKEND": "Agg", "BROWSER": "true", "DISPLAY": "", "PYTHONWARNINGS": "ignore"}
    environment = {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-P", str(CHILD)],
                input=question,
                stdout=told,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                text=True,
                timeout=deadline,
                check=False,
            )
        told.seek(0)
        return [DocstringEntry(*json.loads(line)) for line in told if line.endswith("\n")]
