"""Export of a model to ONNX, with a check of the graph against the model itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from ..errors import SpaceMismatch
from ..records import Space
from .onnx_backend import OnnxEmbedder
from .probes import PROBES, min_cosine
from .torch_backend import TorchEmbedder

MIN_EXPORT_COSINE = 0.9999  # both sides compute in float32: a lower cosine is more than rounding
OPSET = 17  # the first with LayerNormalization as one operator, which onnxruntime fuses best


class _TokenVectors(torch.nn.Module):
    """Transformer with one tensor as its output, as tracing requires."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def export_onnx(folder: Path, space: Space, target: Path) -> float:
    """Write the graph of token vectors to ``target``; return the lowest cosine to torch over `PROBES`.

    Raises ModelNotFound, and SpaceMismatch below `MIN_EXPORT_COSINE`.
    """
    reference = TorchEmbedder(folder, space, device="cpu")
    trace(reference.transformer, target)
    cosine = min_cosine(reference.encode(PROBES), OnnxEmbedder(folder, space, target).encode(PROBES))
    if not cosine >= MIN_EXPORT_COSINE:
        raise SpaceMismatch(
            f"The ONNX export of {space.model} disagrees with torch (lowest cosine {cosine:.5f}).",
            hint="Use another model, or another version of torch.",
        )
    return cosine


def trace(transformer: torch.nn.Module, target: Path) -> None:
    """Trace a transformer over a padded batch, with dynamic batch size and length."""
    ids = torch.ones((2, 16), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0  # a mask of ones could be traced away
    names = ["input_ids", "attention_mask", "token_vectors"]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's warnings about tracing; the probes check the result
        torch.onnx.export(
            _TokenVectors(transformer).eval(),  # else the exporter leaves the transformer in training mode
            (ids, mask),
            str(target),
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )
