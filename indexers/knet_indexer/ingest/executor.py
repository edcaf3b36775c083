"""Where a sync does its heavy work, reading, cutting and embedding: in this process, or on the workers of a cluster.

Whatever the executor, the state is written here, batch by batch and in the same order, from the same texts embedded
together: what comes of it does not depend on who did the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from knet.embed import Embedder, Progress, Vectors

from ..chunking import Chunker
from ..sources.base import Item
from ..state import DocumentRow, ItemRow
from .prepare import PreparedItem, prepare

LOCAL = "local"
RAY = "ray"

T = TypeVar("T")
Thunk = Callable[[], T]  # gives what was asked for, at once or when it is done, or raises what went wrong


class ReadJob(NamedTuple):
    """What reading one item takes; see `prepare`."""

    item: Item
    row: ItemRow
    licence: str
    known: Sequence[DocumentRow]
    recut: bool


class Executor(Protocol):
    """Does the work of a sync. Results come in the order in which they were asked for."""

    @property
    def max_pending(self) -> int:
        """How many batches may be under way besides the one that is waited for."""
        ...

    def prepare(
        self, jobs: Iterable[ReadJob], embedder: Embedder, cut: Chunker
    ) -> Iterator[tuple[ReadJob, Thunk[PreparedItem]]]:
        """Read and cut; what is later raised belongs to the one job."""
        ...

    def embed(self, embedder: Embedder, texts: Sequence[str], progress: Progress) -> Thunk[Vectors]:
        """What ``embedder.encode(texts)`` gives, ``(len(texts), dimension)`` float32."""
        ...


class LocalExecutor:
    """This process, one thing after the other."""

    ahead = 0

    def prepare(
        self, jobs: Iterable[ReadJob], embedder: Embedder, cut: Chunker
    ) -> Iterator[tuple[ReadJob, Thunk[PreparedItem]]]:
        for job in jobs:
            yield job, partial(read_here, job, cut)

    def embed(self, embedder: Embedder, texts: Sequence[str], progress: Progress) -> Thunk[Vectors]:
        return partial(embedder.encode, texts, progress=progress)


def read_here(job: ReadJob, cut: Chunker) -> PreparedItem:
    """Read and cut in this process. Raises as `prepare`."""
    return prepare(job.item, job.row, job.licence, job.known, cut, recut=job.recut)
