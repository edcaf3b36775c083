"""ONNX Runtime backend in float32: starts in half a second, without torch and transformers."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime

from ..errors import ModelNotFound
from ..records import Space
from .base import Vectors
from .pipeline import BatchedEmbedder, Tokens

BATCH_TOKENS = 1024  # larger batches are slower on CPUs: activations no longer fit the cache


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class OnnxEmbedder(BatchedEmbedder):
    """Embedder that runs a ``model.onnx`` with token vectors as its output."""

    def __init__(self, folder: Path, space: Space, graph: Path, *, threads: int | None = None) -> None:
        """``folder`` holds the tokenizer; ``threads`` defaults to the usable cores. Raises ModelNotFound."""
        super().__init__(folder, space, batch_tokens=BATCH_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        # Spinning threads gain nothing measurable here, and take the cores from other nodes and the client.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors only: the warnings concern optimisations that do not apply
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions derive from Exception alone
            raise ModelNotFound(
                f"{graph} cannot be loaded: {error}.", hint="Delete the file; knet then creates it again."
            ) from error
        self._inputs = {node.name for node in self._session.get_inputs()}

    def _tokens(self, ids: Tokens, mask: Tokens) -> Vectors:
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = ids * 0
        hidden: Vectors = self._session.run(None, feeds)[0]
        return hidden
