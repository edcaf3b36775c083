"""Open the executor that a spec names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from knet.errors import ConfigError

from .executor import LOCAL, RAY, Executor, LocalExecutor


def check_executor(spec: str) -> str:
    """The spec as given, if it names an executor: ``local``, ``ray`` or ``ray://HOST:PORT``. Raises ConfigError."""
    if spec in (LOCAL, RAY) or spec.startswith("ray://"):
        return spec
    raise ConfigError(f"{spec!r} is not an executor.", hint="Name local, ray or ray://HOST:PORT.")


@contextmanager
def open_executor(spec: str, model: str) -> Iterator[Executor]:
    """The executor that ``spec`` names, for a node of this model.

    Raises ConfigError, MissingExtra, Unreachable, and from within what its workers run into.
    """
    if check_executor(spec) == LOCAL:
        yield LocalExecutor()
        return
    from .ray_executor import open_ray_executor  # imports Ray, which takes seconds and is an extra

    with open_ray_executor(spec, model) as executor:
        yield executor
