"""The answers that an assistant was given, kept on disk by their CID: another session verifies and rates them, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..codec import DAG_CBOR, Cid, decode, encode
from ..errors import BlockTampered, CodecError, ConfigError, StoreError
from ..files import write_atomically
from ..records import Answer, Passage

KEPT_ANSWERS = 128  # half a megabyte each at most: 64 MiB; older ones can be asked again


class KeptAnswers:
    """The latest answers in one folder, which several servers may share."""

    def __init__(self, folder: Path, most: int = KEPT_ANSWERS) -> None:
        self._folder = folder
        self._most = most

    def add(self, answer: Answer) -> str:
        """Keep an answer: its name. Forgets the oldest. Raises StoreError."""
        block = encode(answer)
        name = str(Cid.of(block, DAG_CBOR))
        try:
            write_atomically(self._folder / name, block)
            self._forget()
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be written: {error.strerror}.", hint="Free some space.") from error
        return name

    def get(self, name: str) -> Answer:
        """An answer by its name. Raises ConfigError when it is not known, BlockTampered when its file was changed."""
        try:
            cid = Cid.parse(name)
            block = (self._folder / str(cid)).read_bytes()  # the CID as we write it: a name may not lead elsewhere
        except (OSError, CodecError):
            raise ConfigError("This server does not remember that answer.", hint="Ask the question again.") from None
        if Cid.of(block, DAG_CBOR) != cid:
            raise BlockTampered(f"{self._folder / str(cid)} was changed.", hint="Delete it, and ask again.")
        return decode(block, Answer)

    def passages(self) -> Iterator[Passage]:
        """Of every answer that is kept and whole, the latest first."""
        for path in reversed(self._oldest_first()):
            with suppress(ConfigError, BlockTampered, CodecError):  # forgotten by another server just now, or damaged
                yield from self.get(path.name).passages

    def _forget(self) -> None:
        for path in self._oldest_first()[: -self._most]:
            path.unlink(missing_ok=True)

    def _oldest_first(self) -> list[Path]:
        times: dict[Path, int] = {}
        for path in self._folder.glob("[!.]*"):
            with suppress(FileNotFoundError):
                times[path] = path.stat().st_mtime_ns
        return sorted(times, key=lambda path: times[path])
