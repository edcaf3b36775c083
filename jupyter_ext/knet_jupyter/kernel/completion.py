"""Tab completion of ``%knet``."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from knet.config import profile_names

from .magic_args import COMMANDS, OPTIONS


def complete(shell: Any, event: Any) -> list[str]:
    """Return the completions at the cursor: commands, options before a question, and profiles after `use` and `-p`.

    The signature is IPython's for the hook ``complete_command``; ``event`` has ``line`` (to the cursor) and ``symbol``.
    """
    magic, *words = event.line.split(" ")
    before = [word for word in words[:-1] if word]
    prefix = words[-1] if words else ""
    if before and before[-1] in ("-p", "--profile", "use"):
        return _matching(profiles(), prefix)
    if before == ["rate"]:
        return _matching(["+1", "-1", "up", "down"], prefix)
    if before and not before[-1].startswith("-") and not _takes_value(before):
        return []  # inside a question
    commands = [] if before or magic == "%%knet" else list(COMMANDS)
    return _matching([*commands, *OPTIONS], prefix)


def profiles() -> list[str]:
    """Return the configured networks, and those that an installed package starts on demand."""
    return sorted({*profile_names(), *(entry.name for entry in entry_points(group="knet.networks"))})


def _takes_value(before: list[str]) -> bool:
    return len(before) > 1 and before[-2].startswith("-") and before[-2] != "--private"


def _matching(words: list[str], prefix: str) -> list[str]:
    return [word for word in words if word.startswith(prefix)]
