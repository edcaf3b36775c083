"""What a user's own doings say of single passages, kept on disk by their words and never sent anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from filelock import FileLock

from ..codec import from_json, to_json
from ..errors import CodecError
from ..files import write_atomically
from ..index.lexical import tokens
from ..records import Reputation
from .reliability import observed, passage_key

T = TypeVar("T")


class PassageStore(Generic[T]):
    """One small file: a ``kind`` of thing by `passage_key`, under ``name``.

    Safe to use from several threads and processes; a file that cannot be read counts as empty.
    """

    def __init__(self, path: Path, name: str, kind: type[T]) -> None:
        self._path = path
        self._name = name
        self._kind = kind
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        self._known = self._read()

    @property
    def known(self) -> Mapping[bytes, T]:
        """What `knet.search.merge` takes."""
        return self._known

    def change(self, text: str, how: Callable[[T | None], T | None]) -> None:
        """Replace what is known of a passage by what ``how`` makes of it; None is nothing."""
        key = passage_key(tokens(text))
        with self._lock:
            known = self._read()
            now = how(known.pop(key, None))
            if now is not None:
                known[key] = now
            kept = {self._name: {each.hex(): value for each, value in known.items()}}
            write_atomically(self._path, to_json(kept).encode())
            self._known = known

    def _read(self) -> dict[bytes, T]:
        try:
            kept = from_json(self._path.read_bytes(), dict[str, dict[str, self._kind]])  # type: ignore[name-defined]
            return {bytes.fromhex(key): value for key, value in kept[self._name].items()}
        except (OSError, CodecError, ValueError, KeyError):
            return {}


MOST = 16  # questions a passage: more would drown what it says itself


class AnsweredQuestions(PassageStore[list[str]]):
    """Questions by the passage that answers them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "answered", list[str])

    def add(self, question: str, text: str, value: float) -> None:
        """A verdict on a passage as an answer: above 0 the question is remembered, below it is forgotten."""

        def judged(known: list[str] | None) -> list[str] | None:
            others = [each for each in known or [] if each != question]
            return ([*others, question][-MOST:] if value > 0 else others) or None

        self.change(text, judged)


class PassageRatings(PassageStore[Reputation]):
    """Verdicts by the passage they were given on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "verdicts", Reputation)

    def add(self, text: str, value: float) -> None:
        """One more verdict, -1 (wrong) to 1 (right), on a passage."""
        self.change(text, lambda known: observed(known or Reputation(), value))
