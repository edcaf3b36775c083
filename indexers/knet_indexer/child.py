"""Child processes that run `knet node` commands: their progress as JSON lines, and their end with the parent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from knet.errors import IndexerError
from knet.files import open_private

SERVING = "serve"  # the phase in which a node answers
STOP_SECONDS = 10.0


def start_command(log: Path, *command: str) -> subprocess.Popen[str]:
    """Start a `knet node` command; ``log``, a file in the node's home, receives its errors. Raises IndexerError.

    With ``--attached`` the command ends when its input is closed, thus also when this process dies.
    """
    try:
        with open(open_private(log), "w") as errors:
            return subprocess.Popen(  # noqa: S603  a fixed program, without a shell
                [sys.executable, "-m", "knet_indexer", *command, "--json"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
    except OSError as error:
        raise IndexerError(f"node {log.parent.name}: {command[0]} cannot be started: {error.strerror}.") from error


def progress_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the JSON lines that a command prints, until it ends."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def stop_commands(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Close the inputs of all processes, wait for their ends, and kill those that take longer than `STOP_SECONDS`."""
    for process in processes:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
    until = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
