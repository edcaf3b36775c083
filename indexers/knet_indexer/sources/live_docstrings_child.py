"""Child process of `knet_indexer.sources.live_docstrings`: imports modules and prints their docstrings.

Takes ``[[module, [names]], ...]`` as JSON on its standard input (no names: every public one) and prints one line of
JSON, ``[path, signature, docstring]``, an object. Uses the standard library alone: it shares no state with knet.
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
