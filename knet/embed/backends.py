"""Name how an embedder computes, so that another machine computes the same way."""

from __future__ import annotations

import sys
from typing import Literal

from ..records import Space
from .base import Embedder
from .graphs import onnx_graph
from .load import find_space
from .onnx import OnnxEmbedder

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
