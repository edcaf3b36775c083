"""An executor on a Ray cluster: tasks of one core, repeated on another worker when one dies.

The state stays with the node. Items travel with the call, texts and vectors return. Ray pickles them, so a cluster is
trusted as this machine is (docs/decisions/0054).
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
from knet.embed.base import Embedder, Progress, Vectors
from knet.embed.load import Backend, backend_of
from knet.errors import ConfigError, DeadlineExceeded, IndexerError, KnetError, MissingExtra, Unreachable, pip_command

from ..chunking import Chunker
from ..sources.base import text_reader
from .prepare import Outcome, ReadJob, try_prepare
from .ray_worker import ReadResult, WorkerError, embed_texts, make_recipe, read_items

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster started here sends no usage statistics

try:
    import grpc
    import ray
    import ray.exceptions
except ImportError as error:
    raise MissingExtra("Ray", "ray") from error

CONNECT_SECONDS = 5.0  # to accept a connection; Ray itself would try for half a minute
ATTEMPTS = 3  # to join: a busy head may give up the processes it starts for a client after half a minute
WORKER_SECONDS = 300.0  # until the first result: an autoscaler may start a machine, and a worker loads the model
POLL_SECONDS = 5.0  # between two checks that the cluster still has a worker
ITEMS_PER_TASK = 16  # an item takes milliseconds to cut, as much as a call takes
TASKS_PER_CORE = 2  # one that runs, one that waits
MIN_PENDING, MAX_PENDING = 2, 128  # batches: 512 texts of at most some kilobytes each

RAY = "ray"  # the cluster at RAY_ADDRESS or on this machine


@contextmanager
def open_ray_executor(spec: str, model: str) -> Iterator[RayExecutor]:
    """Open an executor on the cluster at ``ray://HOST:PORT``; ``ray`` means the one at ``RAY_ADDRESS`` or on this
    machine.

    Without a cluster, ``ray`` starts one on this machine until the end of the block. Raises Unreachable, ConfigError.
    """
    joined = _connect(spec)
    try:
        yield RayExecutor(model, spec)
    finally:
        if joined:
            with suppress(Exception):  # the rest ends with this process
                ray.shutdown()


class _Task(NamedTuple):
    jobs: list[ReadJob]
    failed: dict[int, KnetError]  # by place in ``jobs``: could not be read here, and were not sent
    answer: Any


class RayExecutor:
    """An executor on a cluster; see `knet_indexer.ingest.executor.Executor`."""

    def __init__(self, model: str, name: str) -> None:
        self._model = model
        self._name = name
        self._unshared_sources: set[str] = set()  # sources whose files the workers lack or have in another version
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
            if len(pending) > TASKS_PER_CORE * self._has("CPU"):
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
        """Return the embedding recipe, sent to the cluster once."""
        backend = backend_of(embedder)
        if backend is None:
            raise ConfigError(
                "The node's embedder is an object of this program: no worker can load it.",
                hint="Sync with --executor local.",
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
                until = time.monotonic() + WORKER_SECONDS  # a worker is busy with it
        self._answered = True
        if isinstance(found, WorkerError):
            raise _worker_failure(found)
        return found

    def _has(self, resource: str) -> float:
        """Return the cluster's amount of a resource now; an autoscaler may add to it."""
        with self._errors():
            return float(ray.cluster_resources().get(resource, 0))  # type: ignore[no-untyped-call]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate the errors that Ray raises during work."""
        again = "Run the same command again: it continues after the last commit."
        try:
            yield
        except ray.exceptions.GetTimeoutError as error:
            raise DeadlineExceeded(
                f"cluster {self._name}: No worker answered within {WORKER_SECONDS:.0f} s.",
                hint="Run `ray status` to see its machines and pending tasks.",
            ) from error
        except (ray.exceptions.RayTaskError, ImportError) as error:  # ImportError where the head unpickles
            raise _failed(error) from error
        except (ray.exceptions.RaySystemError, ConnectionError, grpc.RpcError) as error:
            raise Unreachable(
                f"cluster {self._name} stopped answering ({type(error).__name__}).", hint=again
            ) from error
        except ray.exceptions.RayError as error:
            raise IndexerError(f"cluster {self._name}: a worker failed: {_last_line(error)}", hint=again) from error


def _worker_failure(found: WorkerError) -> KnetError:
    kind: type[KnetError] = getattr(errors, found.kind)
    if issubclass(kind, MissingExtra):  # its message names what to install here
        kind = IndexerError
    return kind(found.message, hint=found.hint)


def _failed(error: Exception) -> KnetError:
    """Return the error behind a failed task, nearly always a machine without knet."""
    words = str(error)
    if isinstance(error, ImportError) or ("knet" in words and "Error: No module named" in words):
        return ConfigError(
            f"A machine of the cluster lacks this version of knet: {_last_line(error)}",
            hint=f"Install it on all machines, the head too: {pip_command('node', 'ray')}",
        )
    return IndexerError(f"A worker failed: {_last_line(error)}")


def _last_line(error: Exception) -> str:
    """Return the last line of Ray's message, which is the reason."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip().rstrip(".") + "."


# --- connecting ----------------------------------------------------------------------------------------------------


def _connect(spec: str) -> bool:
    """Join the cluster. Return True when it was joined here and must be left again. Raises Unreachable, ConfigError."""
    if ray.is_initialized():
        if spec == RAY:
            return False  # this process has joined a cluster already
        raise ConfigError(
            "This process has joined a Ray cluster already.", hint="Name the executor ray to use that one."
        )
    if spec != RAY:
        _check_reachable(spec)
    try:
        logging.getLogger("ray").setLevel(logging.ERROR)  # its messages would disturb the progress bars
        _join(spec)
    except (ConnectionError, TimeoutError, grpc.RpcError) as error:
        raise Unreachable(f"cluster {spec} does not answer: {_last_line(error)}", hint=_START) from error
    except (RuntimeError, ValueError, ray.exceptions.RayError) as error:
        hint = "Install the same versions of Ray and Python on all machines." if "ersion" in str(error) else _START
        raise ConfigError(f"cluster {spec} cannot be used: {' '.join(str(error).split())}", hint=hint) from error
    return True


def _join(spec: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    for remaining in reversed(range(ATTEMPTS if spec != RAY else 0)):
        try:
            ray.init(spec, **quiet)
            return
        except ConnectionError:
            if not remaining:
                raise
    address = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(address or "auto", **quiet)
    except ConnectionError:
        if address:
            raise
        ray.init("local", **quiet)


_START = "Start one with `ray start --head`, which prints its address."


def _check_reachable(spec: str) -> None:
    try:
        parts = urlsplit(spec)
        address = parts.hostname or "", parts.port or 10001
    except ValueError as error:
        raise ConfigError(f"executor {spec!r} is not a valid address.", hint="Write it as ray://HOST:PORT.") from error
    try:
        socket.create_connection(address, CONNECT_SECONDS).close()
    except OSError as error:
        raise Unreachable(f"cluster {spec} does not answer: {error.strerror or error}.", hint=_START) from error
