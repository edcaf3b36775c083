"""Child process of `knet_indexer.sources.live_docstrings`: imports modules and prints their docstrings.

It reads ``[[module, [names]], ...]`` as JSON from standard input (no names: every public one). It prints one line of
JSON for each object: ``[path, signature, docstring]``. It uses the standard library alone and shares no state with
knet.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import sys
import types
from collections.abc import Iterator, Sequence
from importlib import import_module


def main() -> None:
    wanted = json.load(sys.stdin)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output of modules during their import is dropped
    for name, names in wanted:
        try:
            module = import_module(name)
        except BaseException:  # including sys.exit during the import; go on with the next module  # noqa: S112  modules of all kinds fail to import
            continue
        for entry in _entries(module, names):
            output.write(json.dumps(entry) + "\n")
        output.flush()
    output.flush()
    os._exit(0)  # without waiting for threads and exit handlers of imported modules


def _entries(module: types.ModuleType, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    if not names and (doc := inspect.getdoc(module)):
        yield module.__name__, "", doc
    public = sorted(name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_"))
    for name in names or public:
        with contextlib.suppress(Exception):
            value = getattr(module, name)
            if callable(value) and (doc := _doc(value)):
                path = f"{module.__name__}.{name}"
                yield path, f"{path}{_signature(value)}", doc


def _doc(value: object) -> str:
    """Return an object's own docstring and those of a class's methods, without inherited ones."""
    own = getattr(value, "__doc__", None)
    if not isinstance(own, str) or (not isinstance(value, type) and own == type(value).__doc__):
        own = ""
    parts = [inspect.cleandoc(own)]
    if isinstance(value, type):
        for name, member in sorted(vars(value).items()):
            text = getattr(member, "__doc__", None)
            if not name.startswith("_") and callable(member) and isinstance(text, str):
                parts.append(f"{name}{_signature(member)}\n\n{inspect.cleandoc(text)}")
    return "\n\n".join(filter(None, parts))


def _signature(value: object) -> str:
    try:
        return str(inspect.signature(value))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return "(...)"


if __name__ == "__main__":
    main()
