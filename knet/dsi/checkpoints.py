"""Files of one shard's folder: its state before training, a checkpoint, the trained model, as safetensors and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from ..errors import CodecError, ConfigError, StoreError
from ..files import write_atomically
from .docids import Codebooks
from .examples import Examples
from .serialization import from_tensors, read_tensors, to_tensors, write_tensors
from .sharding import DsiShard

INITIAL, MODEL, CHECKPOINT = "start.safetensors", "model.safetensors", "checkpoint.safetensors"

Arrays = dict[str, npt.NDArray[Any]]


def save_shard(folder: Path, shard: DsiShard, name: str = INITIAL, **metadata: str) -> None:
    """Write a model with its codebooks and examples; ``metadata`` goes into the file. Raises StoreError."""
    examples = shard.examples
    arrays: Arrays = to_tensors(shard.model)
    arrays |= {f"book.{level}": book for level, book in enumerate(shard.books.levels)}
    arrays |= {
        "asked.vectors": examples.vectors.astype(np.float16),
        "asked.counts": np.array([len(hashes) for hashes in examples.features], np.uint32),
        "asked.features": np.concatenate([np.zeros(0, np.uint32), *examples.features]),
        "asked.places": examples.places.astype(np.int64),
        "asked.weights": examples.weights.astype(np.float32),
    }
    write_file(folder / name, write_tensors(arrays, **metadata))


def load_shard(folder: Path, name: str = INITIAL) -> DsiShard:
    """Load what `save_shard` wrote. Raises ConfigError without such a file, CodecError when the file is damaged."""
    arrays = read_file(folder / name)
    where = str(folder / name)
    try:
        ends = np.cumsum(arrays["asked.counts"], dtype=np.int64)[:-1]
        examples = Examples(
            vectors=arrays["asked.vectors"],
            features=np.split(arrays["asked.features"], ends) if len(arrays["asked.counts"]) else [],
            places=arrays["asked.places"],
            weights=arrays["asked.weights"],
        )
    except (KeyError, ValueError) as error:
        raise CodecError(f"{where} holds no training examples: {error}") from error
    books = [arrays[key] for key in sorted(arrays) if key.startswith("book.")]
    return DsiShard(from_tensors(arrays, where), Codebooks(books), examples)


def write_file(path: Path, data: bytes) -> None:
    """Write a file atomically. Raises StoreError."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", hint="Choose another folder.") from error


def read_file(path: Path) -> Arrays:
    """Return the tensors of a file. Raises ConfigError, CodecError."""
    try:
        return read_tensors(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", hint="Run `knet dsi train`.") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file, without its tensors; empty if there is no such file."""
    try:
        with safe_open(path, "numpy") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}
