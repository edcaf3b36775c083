"""Notes on the reading of a document: parts of a file that its text does not hold, and parts that are uncertain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from knet.records import Record

NoteKind = Literal["empty_pages", "bad_pages", "embedded_data", "hidden_text", "guessed_encoding", "left_out"]

_NAMES: dict[NoteKind, tuple[str, str]] = {
    "empty_pages": ("page without text", "pages without text"),
    "bad_pages": ("page that cannot be read", "pages that cannot be read"),
    "embedded_data": ("piece of embedded data left out", "pieces of embedded data left out"),
    "hidden_text": ("hidden passage left out", "hidden passages left out"),
    "guessed_encoding": ("encoding guessed", "encodings guessed"),
    "left_out": ("part left out", "parts left out"),
}


class Note(Record, frozen=True):
    """A fact about one document that its owner should know. ``count`` is the number of pages, pieces or passages.

    ``detail`` names them for a person: page numbers, the guessed encoding, the reason.
    """

    kind: NoteKind
    count: int = 1
    detail: str = ""

    def __str__(self) -> str:
        return describe(self.kind, self.count) + (f" ({self.detail})" if self.detail else "")


def describe(kind: NoteKind, count: int) -> str:
    """Return a kind's count in words: ``2 pages without text``."""
    return f"{count} {_NAMES[kind][count != 1]}"


def total(notes: Iterable[Note]) -> dict[NoteKind, int]:
    """Return the sum of the counts of each kind, in the order in which an account lists them."""
    counts: Counter[NoteKind] = Counter()
    for note in notes:
        counts[note.kind] += note.count
    return {kind: counts[kind] for kind in _NAMES if counts[kind]}
