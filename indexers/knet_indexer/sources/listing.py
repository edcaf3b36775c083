"""Left-out and failed parts of a source, collected while it lists its items."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LEFT_OUT = "left out: "  # begins the reason of an item that its source decided to leave out when it was read


@dataclass
class Listing:
    """Account of one listing: each file that the source saw is an item, or counted in ``left_out``.

    ``left_out`` counts files by kind (``.eml``), place (``build/``) or rule. ``failed`` maps the beginnings of the uris
    in a part that could not be listed to the reason: items there may still exist. With ``is_incomplete`` any item that
    is not listed may still exist. ``linked_folders`` are not entered.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    is_incomplete: bool = False
    linked_folders: int = 0
    first: dict[str, str] = field(default_factory=dict)

    def leave_out(self, reason: str, name: str, files: int = 1) -> None:
        """Count files that a rule leaves out; ``first`` keeps one name for each rule."""
        if files:
            self.left_out[reason] += files
            self.first.setdefault(reason, name)
