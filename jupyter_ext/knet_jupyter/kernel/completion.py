"""Tab completion behind ``%knet``."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from knet.config import profile_names

from .magic_args import COMMANDS, OPTIONS


def complete(shell: Any, event: Any) -> list[str]:
    """What fits at the cursor: commands first, options as long as no question began, profiles where one is due.

    The signature is IPython's for the hook ``complete_command``; ``event`` has ``line`` (to the cursor) and ``symbol``.
    """
    magic, *words = event.line.split(" ")
    before = [word for word in words[:-1] if word]
    begun = words[-1] if words else ""
    if before and before[-1] in ("-p", "--profile", "use"):
        return _fitting(profiles(), begun)
    if before == ["rate"]:
        return _fitting(["+1", "-1", "up", "down"], begun)
    if before and not before[-1].startswith("-") and not _takes_value(before):
        return []  # inside a question
    commands = [] if before or magic == "%%knet" else list(COMMANDS)
    return _fitting([*commands, *OPTIONS], begun)


def profiles() -> list[str]:
    """The networks this user knows, and those an installed package starts on demand."""
    return sorted({*profile_names(), *(entry.name for entry in entry_points(group="knet.networks"))})


def _takes_value(before: list[str]) -> bool:
    return len(before) > 1 and before[-2].startswith("-") and before[-2] != "--private"


def _fitting(words: list[str], begun: str) -> list[str]:
    return [word for word in words if word.startswith(begun)]
