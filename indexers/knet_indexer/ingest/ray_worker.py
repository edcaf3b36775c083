"""The worker's side of a sync on a Ray cluster: it reads and cuts items, and embeds texts.

A worker is a process on a machine with knet, the model, and perhaps the documents. Everything else comes with the call.
It first verifies that it works as the node does: the same knet, the same space, the same vectors for the probes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from knet import __version__
from knet.embed.base import MIN_BACKEND_COSINE, Embedder, Vectors
from knet.embed.load import Backend, open_backend
from knet.embed.models import find_model
from knet.embed.probes import PROBES, min_cosine
from knet.errors import ConfigError, KnetError, SpaceMismatch
from knet.records import Record, Space

from ..chunking import Chunker, chunker_for
from .prepare import PreparedItem, ReadJob, try_prepare

THREADS = 1  # a task has one core; other tasks use the others


class EmbeddingRecipe(Record, frozen=True):
    """The node's embedding settings, and its vectors of the probes: ``(len(PROBES), dimension)`` float32."""

    version: str  # of knet
    model: str
    space: Space
    backend: Backend
    probes: bytes


class WorkerError(Record, frozen=True):
    """An error that stopped a worker: the name of its class in `knet.errors`, message and hint."""

    kind: str
    message: str
    hint: str


class ReadResult(Record, frozen=True):
    """The result of one job. ``available`` tells if this machine has the item that the node listed.

    Without ``prepared`` the node reads the item itself, and reports its error.
    """

    available: bool
    prepared: PreparedItem | None = None


def make_recipe(model: str, embedder: Embedder, backend: Backend) -> EmbeddingRecipe:
    """Return the embedding settings of this machine, for workers to follow."""
    probes = embedder.encode(PROBES).tobytes()
    return EmbeddingRecipe(version=__version__, model=model, space=embedder.space, backend=backend, probes=probes)


def embed_texts(recipe: EmbeddingRecipe, texts: Sequence[str]) -> Vectors | WorkerError:
    """Return vectors ``(len(texts), dimension)``, float32."""
    try:
        return _embedder(recipe).encode(texts)
    except KnetError as error:
        return _worker_error(error)


def read_items(recipe: EmbeddingRecipe, jobs: Sequence[ReadJob]) -> list[ReadResult] | WorkerError:
    """Read and cut each job's item, as far as this machine has the same documents."""
    try:
        _embedder(recipe)
        cut = _chunker(recipe)
        return [_read(job, cut) for job in jobs]
    except KnetError as error:
        return _worker_error(error)


def _read(job: ReadJob, cut: Chunker) -> ReadResult:
    try:
        if job.item.current_fingerprint is not None and job.item.current_fingerprint() != job.item.fingerprint:
            return ReadResult(available=False)
    except OSError:
        return ReadResult(available=False)
    outcome = try_prepare(job, cut)
    return ReadResult(available=True, prepared=None if isinstance(outcome, KnetError) else outcome)


@lru_cache(maxsize=2)
def _embedder(recipe: EmbeddingRecipe) -> Embedder:
    """Open the embedder of a recipe and compare it with the node's.

    Raises ConfigError, SpaceMismatch, ModelNotFound, StoreError, MissingExtra.
    """
    if recipe.version != __version__:
        raise ConfigError(
            f"it has knet {__version__}, the node has {recipe.version}.", hint="Install the node's version there."
        )
    embedder = open_backend(recipe.space, recipe.backend, model=recipe.model, threads=THREADS)
    expected = np.frombuffer(recipe.probes, np.float32).reshape(len(PROBES), -1)
    cosine = min_cosine(embedder.encode(PROBES), expected)
    if cosine < MIN_BACKEND_COSINE:
        raise SpaceMismatch(
            f"its vectors differ from the node's (cosine {cosine:.4f}, at least {MIN_BACKEND_COSINE} is needed).",
            hint="Remove the machine from the cluster, or install the node's versions there.",
        )
    return embedder


@lru_cache(maxsize=2)
def _chunker(recipe: EmbeddingRecipe) -> Chunker:
    return chunker_for(find_model(recipe.model), recipe.space)


def _worker_error(error: KnetError) -> WorkerError:
    where = f"The worker on {socket.gethostname()} cannot work for this node: "
    return WorkerError(kind=type(error).__name__, message=where + error.args[0], hint=error.hint)
