"""Questions that a user found a passage to answer, kept on disk: asked again in other words, it is found again.

They never leave the machine. `knet.query.merge` reads them as if they were written in the passage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from ..codec import from_json, to_json
from ..config import write_atomically
from ..errors import CodecError
from ..index.lexical import tokens
from ..records import Record
from .reliability import passage_key

MOST = 16  # questions a passage: more would drown what it says itself


class _Kept(Record, frozen=True):
    answered: dict[str, list[str]] = {}  # by the hexadecimal `passage_key`


class Answered:
    """Safe to use from several threads and processes; a file that cannot be read counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        self._known = self._read()

    @property
    def known(self) -> Mapping[bytes, Sequence[str]]:
        """What `knet.query.merge` takes."""
        return self._known

    def add(self, question: str, text: str, value: float) -> None:
        """A verdict on a passage as an answer: above 0 the question is remembered, below it is forgotten."""
        key = passage_key(tokens(text))
        with self._lock:
            known = self._read()
            others = [each for each in known.get(key, []) if each != question]
            known[key] = [*others, question][-MOST:] if value > 0 else others
            kept = _Kept(answered={each.hex(): questions for each, questions in known.items() if questions})
            write_atomically(self._path, to_json(kept).encode())
            self._known = {each: questions for each, questions in known.items() if questions}

    def _read(self) -> dict[bytes, list[str]]:
        try:
            kept = from_json(self._path.read_bytes(), _Kept)
            return {bytes.fromhex(key): questions for key, questions in kept.answered.items()}
        except (OSError, CodecError, ValueError):
            return {}
