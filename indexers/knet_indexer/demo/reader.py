"""The demo's rater: it looks each passage up in the installed documentation and rates its node."""

from __future__ import annotations

from functools import cached_property

from knet.answer.live import LiveAnswer
from knet.records import Passage

from ..chunking import canonical
from ..sources import parse_source
from .owners import OWNERS

RATED_PASSAGES = 4  # passages that it rates


class DocumentationReader:
    """The documentation of the installed packages."""

    @cached_property
    def _originals(self) -> list[str]:
        return [
            canonical(item.read().text)
            for owner in OWNERS
            if owner.spec
            for item in parse_source(owner.spec, **owner.options).items()
        ]

    def contains(self, passage: Passage) -> bool:
        """Return whether an installed package's documentation contains the passage word for word."""
        return any(passage.text in original for original in self._originals)

    def is_true(self, answer: LiveAnswer) -> bool:
        """Return whether every passage that the answer quotes is true."""
        quoted = {citation.passage for sentence in answer.sentences for citation in sentence.citations}
        return all(self.contains(answer.passages[number]) for number in quoted)

    def ratings(self, answer: LiveAnswer) -> dict[int, float]:
        """Return one rated passage for each node (counted from 1): 1 if every passage read from it is true, else -1."""
        ratings: dict[int, tuple[int, float]] = {}
        for number, passage in enumerate(answer.passages[:RATED_PASSAGES], 1):
            node = passage.provenance.node
            value = 1.0 if self.contains(passage) else -1.0
            if node not in ratings or value < ratings[node][1]:
                ratings[node] = (number, value)
        return dict(ratings.values())
