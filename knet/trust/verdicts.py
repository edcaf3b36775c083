"""A user's own verdicts on single passages, kept on disk: what was found wrong once does not come first again.

They never leave the machine; what others are to profit from goes through `knet.trust.ratings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from ..codec import from_json, to_json
from ..config import write_atomically
from ..errors import CodecError
from ..index.lexical import tokens
from ..records import Record, Reputation
from .reliability import observed, passage_key


class _Kept(Record, frozen=True):
    verdicts: dict[str, Reputation] = {}  # by the hexadecimal `passage_key`


class Verdicts:
    """Safe to use from several threads and processes; a file that cannot be read counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))
        self._known = self._read()

    @property
    def known(self) -> Mapping[bytes, Reputation]:
        """What `knet.query.merge` takes."""
        return self._known

    def add(self, text: str, value: float) -> None:
        """One more verdict, -1 (wrong) to 1 (right), on a passage."""
        key = passage_key(tokens(text))
        with self._lock:
            known = self._read()
            known[key] = observed(known.get(key, Reputation()), value)
            kept = _Kept(verdicts={each.hex(): verdict for each, verdict in known.items()})
            write_atomically(self._path, to_json(kept).encode())
            self._known = known

    def _read(self) -> dict[bytes, Reputation]:
        try:
            kept = from_json(self._path.read_bytes(), _Kept)
            return {bytes.fromhex(key): verdict for key, verdict in kept.verdicts.items()}
        except (OSError, CodecError, ValueError):
            return {}
