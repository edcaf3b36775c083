"""Questions that a user found a passage to answer, kept on disk: asked again in other words, it is found again.

`knet.query.merge` reads them as if they were written in the passage.
"""

from __future__ import annotations

from pathlib import Path

from .passages import ByPassage

MOST = 16  # questions a passage: more would drown what it says itself


class Answered(ByPassage[list[str]]):
    """Questions by the passage that answers them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "answered", list[str])

    def add(self, question: str, text: str, value: float) -> None:
        """A verdict on a passage as an answer: above 0 the question is remembered, below it is forgotten."""

        def judged(known: list[str] | None) -> list[str] | None:
            others = [each for each in known or [] if each != question]
            return ([*others, question][-MOST:] if value > 0 else others) or None

        self.change(text, judged)
