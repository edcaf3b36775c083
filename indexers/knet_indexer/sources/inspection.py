"""Docstrings that only a live object has (compiled code, mostly), read in a child process that may crash or hang.

Run as a program it takes ``[[module, [names]], ...]`` as JSON on its standard input and prints ``[[path, signature,
docstring], ...]``.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from importlib import import_module

from .docstrings import Entry, Unresolved

DEADLINE = 120.0  # seconds; importing every public module of a large scientific package takes some 20


def inspect_live(wanted: Sequence[Unresolved], deadline: float = DEADLINE) -> list[Entry]:
    """The documented objects among the wanted ones; nothing for a module that cannot be imported.

    The modules are imported in a process of their own, without standard input, display or browser, one after the
    other; what was told before a crash or the deadline (seconds) counts.
    """
    question = json.dumps([[item.module, item.names] for item in wanted])
    environment = {**os.environ, "MPLBACKEND": "Agg", "BROWSER": "true", "DISPLAY": "", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-P", "-m", __name__],
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
        return [Entry(*json.loads(line)) for line in told if line.endswith("\n")]


def main() -> None:
    wanted = json.load(sys.stdin)
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a module prints on import is no answer
    for name, names in wanted:
        try:
            module = import_module(name)
        except BaseException:  # sys.exit on import included: the next module still counts
            continue
        for entry in _entries(module, names):
            told.write(json.dumps(entry) + "\n")
        told.flush()
    told.flush()
    os._exit(0)  # threads and exit handlers of what was imported are not waited for


def _entries(module: types.ModuleType, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    if not names and (doc := inspect.getdoc(module)):
        yield module.__name__, "", doc
    for name in names or _public(module):
        with contextlib.suppress(Exception):
            thing = getattr(module, name)
            if callable(thing) and (doc := _doc(thing)):
                path = f"{module.__name__}.{name}"
                yield path, f"{path}{_signature(thing)}", doc


def _public(module: types.ModuleType) -> list[str]:
    return sorted(name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_"))


def _doc(thing: object) -> str:
    """An object's own docstring, and those of a class's methods; what it inherits is documented elsewhere."""
    own = getattr(thing, "__doc__", None)
    if not isinstance(own, str) or (not isinstance(thing, type) and own == type(thing).__doc__):
        own = ""
    parts = [inspect.cleandoc(own)]
    if isinstance(thing, type):
        for name, member in sorted(vars(thing).items()):
            text = getattr(member, "__doc__", None)
            if not name.startswith("_") and callable(member) and isinstance(text, str):
                parts.append(f"{name}{_signature(member)}\n\n{inspect.cleandoc(text)}")
    return "\n\n".join(filter(None, parts))


def _signature(thing: object) -> str:
    try:
        return str(inspect.signature(thing))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return "(...)"


if __name__ == "__main__":
    main()
