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
from .reliability import passage_key

T = TypeVar("T")


class ByPassage(Generic[T]):
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
        """What `knet.query.merge` takes."""
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
