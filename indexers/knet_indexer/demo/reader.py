"""The demo's careful reader: looks each passage up in the installed documentation and says whether it is there."""

from __future__ import annotations

from functools import cached_property

from knet.answer.live import LiveAnswer
from knet.records import Passage

from ..chunking import canonical
from ..sources import parse_source
from .owners import OWNERS

RATED_PASSAGES = 4  # passages a reader looks at


class DocumentationReader:
    """Knows what the installed packages really say."""

    @cached_property
    def _originals(self) -> list[str]:
        return [
            canonical(item.read().text)
            for owner in OWNERS
            if owner.spec
            for item in parse_source(owner.spec, **owner.options).items()
        ]

    def contains(self, passage: Passage) -> bool:
        """Whether an installed package's documentation contains the passage word for word."""
        return any(passage.text in original for original in self._originals)

    def is_true(self, answer: LiveAnswer) -> bool:
        """Whether every passage that the answer quotes is true."""
        quoted = {citation.passage for sentence in answer.sentences for citation in sentence.citations}
        return all(self.contains(answer.passages[number]) for number in quoted)

    def ratings(self, answer: LiveAnswer) -> dict[int, float]:
        """One passage a node (counted from 1), with 1 if all that was read from that node is true, else -1."""
        verdicts: dict[int, tuple[int, float]] = {}
        for number, passage in enumerate(answer.passages[:RATED_PASSAGES], 1):
            node = passage.provenance.node
            value = 1.0 if self.contains(passage) else -1.0
            if node not in verdicts or value < verdicts[node][1]:
                verdicts[node] = (number, value)
        return dict(verdicts.values())
