"""Open the engine that a spec names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from knet.errors import ConfigError

from .executor import LOCAL, RAY, Executor, LocalExecutor


def check_engine(spec: str) -> str:
    """The spec as given, if it names an engine: ``local``, ``ray`` or ``ray://HOST:PORT``. Raises ConfigError."""
    if spec in (LOCAL, RAY) or spec.startswith("ray://"):
        return spec
    raise ConfigError(f"{spec!r} is no engine.", hint="Name local, ray or ray://HOST:PORT.")


@contextmanager
def open_engine(spec: str, model: str) -> Iterator[Executor]:
    """The engine that ``spec`` names, for a node of this model.

    Raises ConfigError, MissingExtra, Unreachable, and from within what its workers run into.
    """
    if check_engine(spec) == LOCAL:
        yield LocalExecutor()
        return
    from .ray_executor import ray_engine  # imports Ray, which takes seconds and is an extra

    with ray_engine(spec, model) as engine:
        yield engine
