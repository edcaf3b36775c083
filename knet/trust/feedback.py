"""Local feedback on single passages, stored on disk by the digest of their words and never sent to any node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from filelock import FileLock

from ..codec import from_json, to_json
from ..errors import CodecError
from ..files import make_folder, write_atomically
from ..index.analyser import split_words
from ..records import Reputation
from .reliability import observed, passage_key

T = TypeVar("T")


class PassageStore(Generic[T]):
    """One JSON file with a value of type ``kind`` by `passage_key`, under the key ``name``.

    Safe to use from several threads and processes. An unreadable file counts as empty.
    """

    def __init__(self, path: Path, name: str, kind: type[T]) -> None:
        self._path = path
        self._name = name
        self._kind = kind
        make_folder(path.parent)
        self._lock = FileLock(path.with_suffix(".lock"), mode=0o600)
        self._known = self._read()

    @property
    def known(self) -> Mapping[bytes, T]:
        """The values by `passage_key`, as `knet.search.merge` takes them."""
        return self._known

    def update(self, text: str, change: Callable[[T | None], T | None]) -> None:
        """Replace a passage's value by the result of ``change``; None stands for no value."""
        key = passage_key(split_words(text))
        with self._lock:
            known = self._read()
            value = change(known.pop(key, None))
            if value is not None:
                known[key] = value
            stored = {self._name: {each.hex(): value for each, value in known.items()}}
            write_atomically(self._path, to_json(stored).encode())
            self._known = known

    def _read(self) -> dict[bytes, T]:
        try:
            stored = from_json(self._path.read_bytes(), dict[str, dict[str, self._kind]])  # type: ignore[name-defined]
            return {bytes.fromhex(key): value for key, value in stored[self._name].items()}
        except (OSError, CodecError, ValueError, KeyError):
            return {}


MAX_QUESTIONS = 16  # questions a passage: more would outweigh the passage's own text


class AnsweredQuestions(PassageStore[list[str]]):
    """Answered questions by the passage that answers them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "answered", list[str])

    def add(self, question: str, text: str, value: float) -> None:
        """Record a rating of a passage as an answer: above 0 the question is stored, otherwise it is removed."""

        def change(known: list[str] | None) -> list[str] | None:
            others = [each for each in known or [] if each != question]
            return ([*others, question][-MAX_QUESTIONS:] if value > 0 else others) or None

        self.update(text, change)


class PassageRatings(PassageStore[Reputation]):
    """The user's own ratings by the rated passage."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "ratings", Reputation)

    def add(self, text: str, value: float) -> None:
        """Add a rating, -1 (wrong) to 1 (right), of a passage."""
        self.update(text, lambda known: observed(known or Reputation(), value))
