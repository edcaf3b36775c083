"""What a cluster's worker does for a sync: read and cut items, embed texts. Everything it needs comes with the call.

A worker is a process on a machine that has knet, a model, and perhaps the documents. It first makes sure that it would
do what the node itself does: the same knet, the same space, the same vectors for the probes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from knet import __version__
from knet.embed import MIN_BACKEND_COSINE, Backend, Embedder, Vectors, find_model, open_backend
from knet.embed.probes import PROBES, min_cosine
from knet.errors import ConfigError, KnetError, SpaceMismatch
from knet.records import Record, Space

from ..chunking import Chunker, chunker_for
from .executor import ReadJob, read_here
from .prepare import PreparedItem

THREADS = 1  # a task has one core; the other cores have other tasks


class EmbeddingRecipe(Record, frozen=True):
    """How a node embeds, and what that makes of the probes: ``(len(PROBES), dimension)`` float32."""

    version: str  # of knet
    model: str
    space: Space
    backend: Backend
    probes: bytes


class WorkerError(Record, frozen=True):
    """What stopped a worker: the name of an error in `knet.errors`, and its words."""

    kind: str
    message: str
    hint: str


class ReadResult(Record, frozen=True):
    """What became of one job. ``available`` is whether this machine has what the node listed.

    Without ``prepared`` the node reads it itself, and says what is wrong with it.
    """

    available: bool
    prepared: PreparedItem | None = None


def make_recipe(model: str, embedder: Embedder, backend: Backend) -> EmbeddingRecipe:
    """How this machine embeds, to be followed by others."""
    probes = embedder.encode(PROBES).tobytes()
    return EmbeddingRecipe(version=__version__, model=model, space=embedder.space, backend=backend, probes=probes)


def embed_texts(recipe: EmbeddingRecipe, texts: Sequence[str]) -> Vectors | WorkerError:
    """Vectors ``(len(texts), dimension)``, float32."""
    try:
        return _embedder(recipe).encode(texts)
    except KnetError as error:
        return _trouble(error)


def read_items(recipe: EmbeddingRecipe, jobs: Sequence[ReadJob]) -> list[ReadResult] | WorkerError:
    """Each job read and cut, as far as this machine has the same documents."""
    try:
        _embedder(recipe)
        cut = _chunker(recipe)
        return [_read(job, cut) for job in jobs]
    except KnetError as error:
        return _trouble(error)


def _read(job: ReadJob, cut: Chunker) -> ReadResult:
    try:
        if job.item.current_fingerprint is not None and job.item.current_fingerprint() != job.item.fingerprint:
            return ReadResult(available=False)
    except OSError:
        return ReadResult(available=False)
    try:
        return ReadResult(available=True, prepared=read_here(job, cut))
    except KnetError:
        return ReadResult(available=True)


@lru_cache(maxsize=2)
def _embedder(recipe: EmbeddingRecipe) -> Embedder:
    """Raises ConfigError, SpaceMismatch, ModelNotFound, StoreError, MissingExtra."""
    if recipe.version != __version__:
        raise ConfigError(f"it has knet {__version__}, the node has {recipe.version}.", hint="Install the same there.")
    embedder = open_backend(recipe.space, recipe.backend, model=recipe.model, threads=THREADS)
    expected = np.frombuffer(recipe.probes, np.float32).reshape(len(PROBES), -1)
    cosine = min_cosine(embedder.encode(PROBES), expected)
    if cosine < MIN_BACKEND_COSINE:
        raise SpaceMismatch(
            f"its vectors stray from the node's own (cosine {cosine:.4f}, at least {MIN_BACKEND_COSINE} is needed).",
            hint="Take the machine out of the cluster, or install the versions there that the node has.",
        )
    return embedder


@lru_cache(maxsize=2)
def _chunker(recipe: EmbeddingRecipe) -> Chunker:
    return chunker_for(find_model(recipe.model), recipe.space)


def _trouble(error: KnetError) -> WorkerError:
    where = f"The worker on {socket.gethostname()} cannot work for this node: "
    return WorkerError(kind=type(error).__name__, message=where + error.args[0], hint=error.hint)
