"""Executors of a sync's heavy work, reading, cutting and embedding: this process, or the workers of a Ray cluster.

The node's own process writes the state, batch by batch and in the same order, from the same texts embedded together.
The result does not depend on the executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from knet.embed.base import Embedder, Progress, Vectors
from knet.errors import ConfigError

from ..chunking import Chunker
from .prepare import Outcome, ReadJob, try_prepare

LOCAL = "local"


class Executor(Protocol):
    """The worker of a sync. Results come in the order of the requests."""

    @property
    def max_pending(self) -> int:
        """The number of batches that may be pending besides the one that is waited for."""
        ...

    def prepare(self, jobs: Iterable[ReadJob], embedder: Embedder, cut: Chunker) -> Iterator[tuple[ReadJob, Outcome]]:
        """Yield each job with its prepared item, or with the error of that item."""
        ...

    def embed(self, embedder: Embedder, texts: Sequence[str], progress: Progress) -> Callable[[], Vectors]:
        """Return a function that waits for ``embedder.encode(texts)``, ``(len(texts), dimension)`` float32."""
        ...


class LocalExecutor:
    """An executor in this process, one job after the other."""

    max_pending = 0

    def prepare(self, jobs: Iterable[ReadJob], embedder: Embedder, cut: Chunker) -> Iterator[tuple[ReadJob, Outcome]]:
        for job in jobs:
            yield job, try_prepare(job, cut)

    def embed(self, embedder: Embedder, texts: Sequence[str], progress: Progress) -> Callable[[], Vectors]:
        return partial(embedder.encode, texts, progress=progress)


def check_executor(spec: str) -> None:
    """Raise ConfigError unless ``spec`` is ``local``, ``ray`` or ``ray://HOST:PORT``."""
    if spec not in (LOCAL, "ray") and not spec.startswith("ray://"):
        raise ConfigError(f"executor {spec!r} is not known.", hint="Name local, ray or ray://HOST:PORT.")


@contextmanager
def open_executor(spec: str, model: str) -> Iterator[Executor]:
    """Open the executor that ``spec`` names, for a node of this model.

    Raises ConfigError, MissingExtra, Unreachable, and inside the block the errors of its workers.
    """
    check_executor(spec)
    if spec == LOCAL:
        yield LocalExecutor()
        return
    from .ray_executor import open_ray_executor  # imports Ray, which takes seconds and is an extra

    with open_ray_executor(spec, model) as executor:
        yield executor
