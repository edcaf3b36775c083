"""A shard's folder: what training begins with, how far it got, the model it ended with. Only safetensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CodecError, ConfigError, StoreError
from ..files import write_atomically
from .docids import Codebooks
from .examples import Examples
from .serialization import from_tensors, read_tensors, to_tensors, write_tensors
from .sharding import DsiShard

INITIAL, MODEL, CHECKPOINT = "start.safetensors", "model.safetensors", "checkpoint.safetensors"

Arrays = dict[str, npt.NDArray[Any]]


def save_shard(folder: Path, start: DsiShard, name: str = INITIAL, **notes: str) -> None:
    """Keep a model with its codebooks and examples; ``notes`` go into the file. Raises StoreError."""
    examples = start.examples
    counts = np.array([len(hashes) for hashes in examples.features], np.uint32)
    arrays: Arrays = to_tensors(start.model)
    arrays |= {f"book.{level}": book for level, book in enumerate(start.books.levels)}
    arrays |= {
        "asked.vectors": examples.vectors.astype(np.float16),
        "asked.counts": counts,
        "asked.features": np.concatenate([np.zeros(0, np.uint32), *examples.features]),
        "asked.places": examples.places.astype(np.int64),
        "asked.weights": examples.weights.astype(np.float32),
    }
    write_file(folder / name, arrays, **notes)


def load_shard(folder: Path, name: str = INITIAL) -> DsiShard:
    """Inverse of `save_shard`. Raises ConfigError when there is none, CodecError when it is damaged."""
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


def write_file(path: Path, arrays: Mapping[str, npt.NDArray[Any]], **notes: str) -> None:
    """Write a safetensors file whole or not at all. Raises StoreError."""
    try:
        write_atomically(path, write_tensors(arrays, **notes))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error


def read_file(path: Path) -> Arrays:
    """The tensors in a file. Raises ConfigError, CodecError."""
    try:
        return read_tensors(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", hint="Run `knet dsi train`.") from error


def read_notes(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors; empty where there is no such file."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            notes: dict[str, str] = json.loads(file.read(size)).get("__metadata__", {})
            return notes
    except (OSError, ValueError):
        return {}
