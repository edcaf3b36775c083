"""Conversion of models to named safetensors tensors and back, with checks of all assumptions of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import CodecError
from .docids import Trie
from .model import Lexical, Model

MAX_DOCUMENTS = 1 << 16  # of a shard; a larger collection has several shards
MAX_ID = 2048  # characters: a URL or a magnet link
RANKS = range(1, 1025)  # of the correction to the question's vector

Tensors = Mapping[str, npt.NDArray[Any]]
_KINDS = {  # name -> kind and dimensions
    "codes": ("u", 2), "ids": ("u", 1), "rows": ("f", 2), "bias": ("f", 1), "down": ("f", 2), "shift": ("f", 1),
    "up": ("f", 2), "terms": ("u", 1), "counts": ("u", 1), "edges": ("u", 1), "weights": ("f", 1), "null": ("f", 2),
    "unknown": ("f", 1),
}  # fmt: skip


def to_tensors(model: Model, *, half: bool = False) -> dict[str, npt.NDArray[Any]]:
    """Return a model's arrays by name; with ``half``, weights in float16 as published."""
    lexical = model.lexical
    real = np.float16 if half else np.float32
    narrow = np.uint16 if model.trie.edges <= 1 << 16 else np.uint32
    floats = {name: getattr(model, name) for name in ("rows", "bias", "down", "shift", "up")}
    floats |= {"weights": lexical.weights, "null": lexical.null, "unknown": lexical.unknown}
    return {
        "codes": model.trie.codes.astype(np.uint16),
        "ids": np.frombuffer("\n".join(model.ids).encode(), np.uint8),
        "terms": lexical.terms.astype(np.uint32),
        "counts": np.diff(lexical.starts).astype(narrow),
        "edges": lexical.edges.astype(narrow),
        **{name: array.astype(real) for name, array in floats.items()},
    }


def from_tensors(tensors: Tensors, where: str) -> Model:
    """Return the model in some tensors. Raises CodecError, which names ``where``, if they are not a model."""
    for name, (kind, dimensions) in _KINDS.items():
        if name not in tensors or tensors[name].dtype.kind != kind or tensors[name].ndim != dimensions:
            raise CodecError(f"{where}: tensor {name!r} is missing or of the wrong type.")
    floats = {name: tensors[name].astype(np.float32) for name, (kind, _) in _KINDS.items() if kind == "f"}
    if not all(np.isfinite(array).all() for array in floats.values()):
        raise CodecError(f"{where}: a weight is not a number.")
    trie = Trie(tensors["codes"].astype(np.uint16))
    lexical = Lexical(
        terms=tensors["terms"].astype(np.uint32),
        starts=np.concatenate([[0], np.cumsum(tensors["counts"], dtype=np.int64)]),
        edges=tensors["edges"].astype(np.int32),
        weights=floats.pop("weights"),
        null=floats.pop("null"),
        unknown=floats.pop("unknown"),
    )
    try:
        ids = tuple(tensors["ids"].astype(np.uint8).tobytes().decode().split("\n"))
    except UnicodeDecodeError as error:
        raise CodecError(f"{where}: its ids are not UTF-8.") from error
    model = Model(ids=ids, trie=trie, lexical=lexical, **floats)
    _check(model, where)
    return model


def _check(model: Model, where: str) -> None:
    trie, lexical = model.trie, model.lexical
    dimension, rank, outcomes = model.rows.shape[1], len(model.down), trie.edges + trie.levels
    shapes_fit = (
        model.rows.shape == (outcomes, dimension)
        and model.bias.shape == (outcomes,)
        and model.down.shape == (rank, dimension)
        and model.shift.shape == (rank,)
        and model.up.shape == (dimension, rank)
        and rank in RANKS
        and lexical.null.shape == (len(lexical.terms), trie.levels)
        and lexical.unknown.shape == (trie.levels,)
        and len(lexical.starts) == len(lexical.terms) + 1
        and lexical.starts[-1] == len(lexical.edges) == len(lexical.weights)
    )
    if not shapes_fit:
        raise CodecError(f"{where}: its tensors do not fit each other.")
    if not 0 < len(trie) <= MAX_DOCUMENTS or len(set(model.ids)) != len(trie) or len(model.ids) != len(trie):
        raise CodecError(f"{where}: its ids do not name each of its {len(trie)} documents once.")
    if not all(0 < len(name) <= MAX_ID for name in model.ids):
        raise CodecError(f"{where}: an id is empty or longer than {MAX_ID} characters.")
    if (np.diff(lexical.terms.astype(np.int64)) <= 0).any():
        raise CodecError(f"{where}: its terms are not in order.")
    if len(lexical.edges) and not 0 <= lexical.edges.min() <= lexical.edges.max() < trie.edges:
        raise CodecError(f"{where}: a weight is for a docid that does not exist.")


def write_tensors(tensors: Tensors, **metadata: str) -> bytes:
    """Return the bytes of a safetensors file."""
    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, metadata or None)


def read_tensors(data: bytes, where: str) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a safetensors file. Raises CodecError."""
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CodecError(f"{where} is not a safetensors file: {error}") from error
