"""sentence-transformers backend for thousands of texts at a time, on a GPU or in bfloat16 where that is faster."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from ..errors import MissingExtra, ModelNotFound
from ..records import Space
from .base import Vectors
from .pipeline import BatchedEmbedder, Tokens

try:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging
except ImportError as error:
    raise MissingExtra("torch with sentence-transformers", "export") from error

Precision = Literal["fp32", "bf16"]

CPU_BATCH_TOKENS = 3072  # throughput is flat from 2,048 to 8,192; fewer use less memory
GPU_BATCH_TOKENS = 1 << 17


class TorchEmbedder(BatchedEmbedder):
    """Embedder that runs the model's own pipeline. ``bf16`` multiplies matrices in bfloat16; all else stays float32."""

    def __init__(self, folder: Path, space: Space, *, precision: Precision = "fp32", device: str = "") -> None:
        """Load the model; ``device`` defaults to `best_device`. Raises ModelNotFound."""
        device = device or best_device()
        super().__init__(folder, space, batch_tokens=CPU_BATCH_TOKENS if device == "cpu" else GPU_BATCH_TOKENS)
        self._device = device
        self._model = _load(folder, device)
        self.precision = precision

    @property
    def transformer(self) -> torch.nn.Module:
        """Transformers model that computes token vectors."""
        return cast(torch.nn.Module, self._model[0].model)

    def _run(self, ids: Tokens, mask: Tokens) -> Vectors:
        return self._output(ids, mask, "sentence_embedding")

    def _tokens(self, ids: Tokens, mask: Tokens) -> Vectors:
        return self._output(ids, mask, "token_embeddings")

    def _output(self, ids: Tokens, mask: Tokens, name: str) -> Vectors:
        features = {
            "input_ids": torch.from_numpy(ids).to(self._device),
            "attention_mask": torch.from_numpy(mask).to(self._device),
        }
        with (
            torch.inference_mode(),
            torch.autocast(self._device, dtype=torch.bfloat16, enabled=self.precision == "bf16"),
        ):
            vectors: Vectors = self._model(features)[name].float().cpu().numpy()
        return vectors


def best_device() -> str:
    """Return ``cuda`` if available, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def hardware_id() -> str:
    """Return the facts that determine the speed of a precision: processor or GPU, threads, torch version."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else torch.backends.cpu.get_cpu_capability()
    return f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _load(folder: Path, device: str) -> SentenceTransformer:
    """Load the model in evaluation mode, without a progress bar and without the hub."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelNotFound(f"{folder} cannot be loaded by sentence-transformers: {error}.") from error
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
