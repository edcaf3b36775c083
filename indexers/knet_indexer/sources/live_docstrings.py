"""Docstrings of live objects (mostly compiled code), read in a child process that may crash or hang."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .child_environment import child_environment
from .docstrings import DocstringEntry, Unresolved

CHILD = Path(__file__).with_name("live_docstrings_child.py")
IMPORT_SECONDS = 120.0  # importing every public module of a large scientific package takes about 20


def import_docstrings(wanted: Sequence[Unresolved], deadline: float = IMPORT_SECONDS) -> list[DocstringEntry]:
    """Return the documented objects among the wanted ones, without modules that cannot be imported.

    One child process imports the modules in turn, without standard input, display or browser. Entries printed before a
    crash or the deadline (seconds) count.
    """
    question = json.dumps([[item.module, item.names] for item in wanted])
    environment = child_environment(MPLBACKEND="Agg", BROWSER="true", DISPLAY="")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603  a fixed program, without a shell
                [sys.executable, "-P", str(CHILD)],
                input=question,
                stdout=output,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                text=True,
                timeout=deadline,
                check=False,
            )
        output.seek(0)
        return [DocstringEntry(*json.loads(line)) for line in output if line.endswith("\n")]
