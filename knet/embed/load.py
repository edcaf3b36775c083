"""Open the embedder of a model or of a space, with the backend that suits the work."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ..config import DEFAULT_MODEL
from ..errors import SpaceMismatch
from ..records import Space
from .base import Embedder
from .models import find_model, read_space
from .onnx_backend import OnnxEmbedder
from .onnx_cache import Notify, onnx_graph

BULK_TEXTS = 1000  # importing torch costs 5 s: what it saves on this many passages
BULK_TEXTS_LOADED = 64  # the same where torch is imported already


def load_embedder(model: str = DEFAULT_MODEL, *, bulk: bool = False, notify: Notify | None = None) -> Embedder:
    """The embedder of a model (hub id or folder).

    ``bulk`` picks the fastest backend for thousands of passages, which imports torch where it is installed; the
    other starts in half a second. Both give the same space. ``notify`` hears about slow first-time work.
    Raises ModelNotFound, MissingExtra, SpaceError, StoreError.
    """
    folder = find_model(model)
    return _open(folder, read_space(folder, model), bulk, notify)


def load_embedder_for(space: Space, *, model: str = "", bulk: bool = False, notify: Notify | None = None) -> Embedder:
    """The embedder of exactly ``space``, from ``model`` or from where the space's own name leads.

    Raises as `load_embedder`, and SpaceMismatch when the weights or settings at hand are others.
    """
    return _open(find_space(space, model), space, bulk, notify)


def find_space(space: Space, model: str = "") -> Path:
    """The folder of the model that defines exactly ``space``, found as `load_embedder_for` does.

    Raises ModelNotFound, SpaceError, and SpaceMismatch when the weights or settings at hand are others.
    """
    folder = find_model(model or space.model)
    here = read_space(folder, space.model)
    if here != space:
        raise SpaceMismatch(
            f"{folder} defines another space than {space.model} with weights {space.weights.hex()[:16]} "
            f"(here: {here.weights.hex()[:16]}).",
            hint="Fetch the revision of the model whose model.safetensors has that sha256.",
        )
    return folder


def is_bulk(count: int) -> bool:
    """Whether ``count`` passages are enough for ``load_embedder(bulk=True)`` to pay."""
    return count >= (BULK_TEXTS_LOADED if "torch" in sys.modules else BULK_TEXTS)


def _open(folder: Path, space: Space, bulk: bool, notify: Notify | None) -> Embedder:
    if bulk and importlib.util.find_spec("sentence_transformers"):
        return _bulk(folder, space)
    return _onnx(folder, space, onnx_graph(folder, space, notify))


@lru_cache(maxsize=4)
def _onnx(folder: Path, space: Space, graph: Path) -> Embedder:
    return OnnxEmbedder(folder, space, graph)


@lru_cache(maxsize=2)
def _bulk(folder: Path, space: Space) -> Embedder:
    from .autotune import bulk_embedder

    return bulk_embedder(folder, space)


Backend = Literal["onnx", "fp32", "bf16"]  # the last two run in torch


def backend_of(embedder: Embedder) -> Backend | None:
    """How ``embedder`` computes; None for one that `open_backend` cannot make again."""
    if isinstance(embedder, OnnxEmbedder):
        return "onnx"
    if "torch" in sys.modules:  # else nobody can have made one, and importing it takes seconds
        from .torch_backend import TorchEmbedder

        if isinstance(embedder, TorchEmbedder):
            return embedder.precision
    return None


def open_backend(space: Space, backend: Backend, *, model: str = "", threads: int | None = None) -> Embedder:
    """The embedder of exactly ``space`` that computes as told; ``threads`` goes for ONNX Runtime.

    Nothing is measured here: on equal processors, whoever opens the same backend gets the same bits for the same texts.
    Raises as `load_embedder_for`.
    """
    folder = find_space(space, model)
    if backend == "onnx":
        return OnnxEmbedder(folder, space, onnx_graph(folder, space), threads=threads)
    from .torch_backend import TorchEmbedder

    return TorchEmbedder(folder, space, precision=backend)
