"""Store of the latest answers on disk by their CID, so that later sessions can verify and rate them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..codec import DAG_CBOR, Cid, decode, encode
from ..errors import BlockTampered, CodecError, ConfigError, StoreError
from ..files import write_atomically
from ..records import Answer, Passage

KEPT_ANSWERS = 128  # half a megabyte each at most: 64 MiB; older questions can be asked again


class KeptAnswers:
    """The latest answers in one folder, which several servers may share."""

    def __init__(self, folder: Path, most: int = KEPT_ANSWERS) -> None:
        self._folder = folder
        self._most = most

    def add(self, answer: Answer) -> str:
        """Store an answer, delete the oldest, and return the new one's name. Raises StoreError."""
        block = encode(answer)
        name = str(Cid.of(block, DAG_CBOR))
        try:
            write_atomically(self._folder / name, block)
            for path in self._oldest_first()[: -self._most]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be written: {error.strerror}.", hint="Free some space.") from error
        return name

    def get(self, name: str) -> Answer:
        """Return an answer by its name. Raises ConfigError if it is unknown, BlockTampered if its file was changed."""
        try:
            cid = Cid.parse(name)
            block = (self._folder / str(cid)).read_bytes()  # the CID as knet writes it: a name cannot be another path
        except (OSError, CodecError):
            raise ConfigError(
                f"This server does not have the answer {name[:80]!r}.", hint="Ask the question again."
            ) from None
        if Cid.of(block, DAG_CBOR) != cid:
            raise BlockTampered(f"{self._folder / str(cid)} was changed.", hint="Delete it, and ask again.")
        return decode(block, Answer)

    def passages(self) -> Iterator[Passage]:
        """Yield the passages of every valid stored answer, the latest first."""
        for path in reversed(self._oldest_first()):
            with suppress(ConfigError, BlockTampered, CodecError):  # deleted by another server, or damaged
                yield from self.get(path.name).passages

    def _oldest_first(self) -> list[Path]:
        times: dict[Path, int] = {}
        for path in self._folder.glob("[!.]*"):
            with suppress(FileNotFoundError):
                times[path] = path.stat().st_mtime_ns
        return sorted(times, key=lambda path: times[path])
