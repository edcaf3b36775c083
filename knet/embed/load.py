"""Loading of the embedder of a model or a space, with a backend that fits the number of texts."""

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
from .nano import NANO_SPACE, nano_embedder
from .onnx_backend import OnnxEmbedder
from .onnx_cache import Notify, onnx_graph

BULK_TEXTS = 1000  # importing torch takes 5 s; it saves that on this many passages
BULK_TEXTS_LOADED = 64  # the same where torch is imported already


def load_embedder(model: str = DEFAULT_MODEL, *, bulk: bool = False, notify: Notify | None = None) -> Embedder:
    """Return the embedder of a model (hub id or folder).

    ``bulk`` selects the fastest backend for thousands of passages, which imports torch where it is installed. The
    other backend starts in half a second. Both have the same space. ``notify`` is called before slow first-time work.
    Raises ModelNotFound, MissingExtra, SpaceError, StoreError.
    """
    folder = find_model(model)
    return _open(folder, read_space(folder, model), bulk, notify)


def load_embedder_for(space: Space, *, model: str = "") -> Embedder:
    """Return the embedder of exactly ``space``, from ``model`` or from the model that the space names.

    Raises as `load_embedder`, and SpaceMismatch when that model's weights or settings differ.
    """
    return _open(find_space(space, model), space)


def find_space(space: Space, model: str = "") -> Path:
    """Return the folder of the model that defines exactly ``space``, from the sources of `load_embedder_for`.

    Raises ModelNotFound, SpaceError, and SpaceMismatch when the model's weights or settings differ.
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
    """Tell if ``load_embedder(bulk=True)`` saves time for ``count`` passages."""
    return count >= (BULK_TEXTS_LOADED if "torch" in sys.modules else BULK_TEXTS)


def _open(folder: Path, space: Space, bulk: bool = False, notify: Notify | None = None) -> Embedder:
    if space == NANO_SPACE:
        return nano_embedder()
    in_torch = bulk and importlib.util.find_spec("sentence_transformers")
    return _cached(folder, space, None if in_torch else onnx_graph(folder, space, notify))


@lru_cache(maxsize=4)
def _cached(folder: Path, space: Space, graph: Path | None) -> Embedder:
    if graph:
        return OnnxEmbedder(folder, space, graph)
    from .autotune import bulk_embedder

    return bulk_embedder(folder, space)


Backend = Literal["onnx", "fp32", "bf16"]  # the last two run in torch


def backend_of(embedder: Embedder) -> Backend | None:
    """Return the backend of ``embedder``; None for one that `open_backend` cannot open."""
    if isinstance(embedder, OnnxEmbedder):
        return "onnx"
    if "torch" in sys.modules:  # else there is no torch embedder, and the import takes seconds
        from .torch_backend import TorchEmbedder

        if isinstance(embedder, TorchEmbedder):
            return embedder.precision
    return None


def open_backend(space: Space, backend: Backend, *, model: str = "", threads: int | None = None) -> Embedder:
    """Return the embedder of exactly ``space`` with the given backend; ``threads`` applies to ONNX Runtime.

    Without measurements, the result is reproducible: on equal processors, a backend gives the same bits for a text.
    Raises as `load_embedder_for`.
    """
    folder = find_space(space, model)
    if backend == "onnx":
        return OnnxEmbedder(folder, space, onnx_graph(folder, space), threads=threads)
    from .torch_backend import TorchEmbedder

    return TorchEmbedder(folder, space, precision=backend)
