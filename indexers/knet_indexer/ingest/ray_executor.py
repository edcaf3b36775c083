"""A sync's heavy work on a Ray cluster: tasks of one core that any worker takes, and another when a worker dies.

The state stays with the node. Items travel with the call, texts and vectors come back; Ray pickles them, so a cluster
is trusted as this machine is (docs/decisions/0054).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from knet import errors
from knet.embed import Backend, Embedder, Progress, Vectors, backend_of
from knet.errors import ConfigError, DeadlineExceeded, IndexerError, KnetError, MissingExtra, Unreachable, pip_command

from ..chunking import Chunker
from ..sources.base import text_reader
from .prepare import Outcome, ReadJob, try_prepare
from .ray_worker import ReadResult, WorkerError, embed_texts, make_recipe, read_items

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here reports to nobody

try:
    import grpc
    import ray
    import ray.exceptions
except ImportError as error:
    raise MissingExtra("Ray", "ray") from error

CONNECT_SECONDS = 5.0  # a cluster that does not even accept by then is down; Ray itself would try for half a minute
ATTEMPTS = 3  # to join: a busy head gives what it starts for a client half a minute, and then gives up
WORKER_SECONDS = 300.0  # for a worker where there is none: an autoscaler may start a machine, and it loads the model
POLL_SECONDS = 5.0  # how often it is asked whether there is still one
ITEMS_PER_TASK = 16  # an item takes milliseconds to cut, as much as a call takes
TASKS_A_CORE = 2  # under way: one that runs, one that waits
MIN_PENDING, MAX_PENDING = 2, 128  # batches: 512 texts of at most some kilobytes each

RAY = "ray"  # the cluster at RAY_ADDRESS or on this machine


@contextmanager
def open_ray_executor(spec: str, model: str) -> Iterator[RayExecutor]:
    """The executor on a cluster: ``ray://HOST:PORT``, or ``ray`` for the one at ``RAY_ADDRESS`` or on this machine.

    Where there is none, ``ray`` starts one on this machine for as long. Raises Unreachable, ConfigError.
    """
    joined = _connect(spec)
    try:
        yield RayExecutor(model, spec)
    finally:
        if joined:
            with suppress(Exception):  # what is left is gone with this process
                ray.shutdown()


class _Task(NamedTuple):
    jobs: list[ReadJob]
    failed: dict[int, KnetError]  # by place in ``jobs``: those that could not be read here, and were not sent
    answer: Any


class RayExecutor:
    """See `knet_indexer.ingest.executor.Executor`."""

    def __init__(self, model: str, name: str) -> None:
        self._model = model
        self._name = name
        self._unshared_sources: set[str] = set()  # sources of which the workers have no files, or others
        self._recipes: dict[Backend, Any] = {}
        self._answered = False
        self._gpu = min(1.0, self._has("GPU"))

    @property
    def max_pending(self) -> int:
        return min(MAX_PENDING, max(MIN_PENDING, int(self._has("CPU"))))

    def prepare(self, jobs: Iterable[ReadJob], embedder: Embedder, cut: Chunker) -> Iterator[tuple[ReadJob, Outcome]]:
        pending: deque[_Task] = deque()
        remaining = iter(jobs)
        while group := list(islice(remaining, ITEMS_PER_TASK)):
            pending.append(self._send(group, embedder))
            if len(pending) > TASKS_A_CORE * self._has("CPU"):
                yield from self._received(pending.popleft(), cut)
        while pending:
            yield from self._received(pending.popleft(), cut)

    def embed(self, embedder: Embedder, texts: Sequence[str], progress: Progress) -> Callable[[], Vectors]:
        answer = self._task(embed_texts, self._recipe(embedder), texts, gpu=self._gpu)

        def wait() -> Vectors:
            vectors: Vectors = self._get(answer)
            progress(len(texts))
            return vectors

        return wait

    # --- reading -----------------------------------------------------------------------------------------------

    def _send(self, jobs: list[ReadJob], embedder: Embedder) -> _Task:
        sent, failed = list(jobs), {}
        for place, job in enumerate(jobs):
            if job.item.current_fingerprint is None or job.row.source in self._unshared_sources:
                try:
                    text = job.item.read()
                    item = replace(job.item, reader=text_reader(text), current_fingerprint=None)
                    sent[place] = job._replace(item=item)
                except KnetError as error:
                    failed[place] = error
        wanted = [job for place, job in enumerate(sent) if place not in failed]
        return _Task(jobs, failed, self._task(read_items, self._recipe(embedder), wanted))

    def _received(self, sent: _Task, cut: Chunker) -> Iterator[tuple[ReadJob, Outcome]]:
        answers: Iterator[ReadResult] = iter(self._get(sent.answer))
        for place, job in enumerate(sent.jobs):
            if place in sent.failed:
                yield job, sent.failed[place]
                continue
            answer = next(answers)
            if not answer.available:
                self._unshared_sources.add(job.row.source)
            yield job, answer.prepared or try_prepare(job, cut)

    # --- tasks -------------------------------------------------------------------------------------------------

    def _recipe(self, embedder: Embedder) -> Any:
        """How to embed, sent to the cluster once."""
        backend = backend_of(embedder)
        if backend is None:
            raise ConfigError(
                "This node's embedder is a program's own, which no worker can load.", hint="Sync with --executor local."
            )
        if backend not in self._recipes:
            recipe = make_recipe(self._model, embedder, backend)
            with self._errors():
                self._recipes[backend] = ray.put(recipe)
        return self._recipes[backend]

    def _task(self, work: Callable[..., Any], recipe: Any, *values: Any, gpu: float = 0) -> Any:
        with self._errors():
            return ray.remote(work).options(num_cpus=1, num_gpus=gpu or None).remote(recipe, *values)

    def _get(self, answer: Any) -> Any:
        until = time.monotonic() + WORKER_SECONDS
        while True:
            with self._errors():
                try:
                    found = ray.get(answer, timeout=POLL_SECONDS)
                    break
                except ray.exceptions.GetTimeoutError:
                    if time.monotonic() > until:
                        raise
            if self._answered and self._has("CPU"):
                until = time.monotonic() + WORKER_SECONDS  # somebody is at it
        self._answered = True
        if isinstance(found, WorkerError):
            raise _told(found)
        return found

    def _has(self, resource: str) -> float:
        """How much of it the cluster has now; an autoscaler may add to it."""
        with self._errors():
            return float(ray.cluster_resources().get(resource, 0))  # type: ignore[no-untyped-call]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate what Ray raises while it works."""
        again = "What was committed stays; the same command goes on from there."
        try:
            yield
        except ray.exceptions.GetTimeoutError as error:
            raise DeadlineExceeded(
                f"No worker of {self._name} took up work within {WORKER_SECONDS:.0f} s.",
                hint="`ray status` says what the cluster has and waits for.",
            ) from error
        except (ray.exceptions.RayTaskError, ImportError) as error:  # the latter where the head unpickles
            raise _failed(error) from error
        except (ray.exceptions.RaySystemError, ConnectionError, grpc.RpcError) as error:
            raise Unreachable(f"The cluster {self._name} went away ({type(error).__name__}).", hint=again) from error
        except ray.exceptions.RayError as error:
            raise IndexerError(f"A worker of {self._name} gave up: {_gist(error)}", hint=again) from error


def _told(trouble: WorkerError) -> KnetError:
    kind: type[KnetError] = getattr(errors, trouble.kind)
    if issubclass(kind, MissingExtra):  # which says what to install here
        kind = IndexerError
    return kind(trouble.message, hint=trouble.hint)


def _failed(error: Exception) -> KnetError:
    """What it means that a task broke: nearly always that knet is not installed there."""
    words = str(error)
    if isinstance(error, ImportError) or ("knet" in words and "Error: No module named" in words):
        return ConfigError(
            f"A machine of the cluster lacks knet, or has another: {_gist(error)}",
            hint=f"Install on all of them, the head too, what this one has: {pip_command('node', 'ray')}",
        )
    return IndexerError(f"A worker failed: {_gist(error)}")


def _gist(error: Exception) -> str:
    """The last line of what Ray says, which is the reason."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip().rstrip(".") + "."


# --- connecting ----------------------------------------------------------------------------------------------------


def _connect(spec: str) -> bool:
    """Join the cluster: whether that was done here, and has to be undone. Raises Unreachable, ConfigError."""
    if ray.is_initialized():
        if spec == RAY:
            return False  # whoever holds this process has chosen a cluster
        raise ConfigError("This process is on a Ray cluster already.", hint="Name the executor ray to use that one.")
    if spec != RAY:
        _check_reachable(spec)
    try:
        logging.getLogger("ray").setLevel(logging.ERROR)  # its notices would run through the bars
        _join(spec)
    except (ConnectionError, TimeoutError, grpc.RpcError) as error:
        raise Unreachable(f"The cluster {spec} does not answer: {_gist(error)}", hint=_START) from error
    except (RuntimeError, ValueError, ray.exceptions.RayError) as error:
        hint = "Install the same versions of Ray and Python here and there." if "ersion" in str(error) else _START
        raise ConfigError(f"The cluster {spec} cannot be used: {' '.join(str(error).split())}", hint=hint) from error
    return True


def _join(spec: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    for left in reversed(range(ATTEMPTS if spec != RAY else 0)):
        try:
            ray.init(spec, **quiet)
            return
        except ConnectionError:
            if not left:
                raise
    named = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(named or "auto", **quiet)
    except ConnectionError:
        if named:
            raise
        ray.init("local", **quiet)


_START = "`ray start --head` starts one, and its last lines say the address."


def _check_reachable(spec: str) -> None:
    try:
        parts = urlsplit(spec)
        address = parts.hostname or "", parts.port or 10001
    except ValueError as error:
        raise ConfigError(f"{spec!r} is no address.", hint="Write it as ray://HOST:PORT.") from error
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except OSError as error:
        raise Unreachable(f"The cluster {spec} does not answer: {error.strerror or error}.", hint=_START) from error
