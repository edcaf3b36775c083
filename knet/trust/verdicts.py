"""A user's own verdicts on single passages, kept on disk: what was found wrong once does not come first again.

What others are to profit from goes through `knet.trust.ratings`.
"""

from __future__ import annotations

from pathlib import Path

from ..records import Reputation
from .passages import ByPassage
from .reliability import observed


class Verdicts(ByPassage[Reputation]):
    """Verdicts by the passage they were given on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "verdicts", Reputation)

    def add(self, text: str, value: float) -> None:
        """One more verdict, -1 (wrong) to 1 (right), on a passage."""
        self.change(text, lambda known: observed(known or Reputation(), value))
