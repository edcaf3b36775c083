"""Models on IPFS: a record that names blocks of safetensors under 1 MiB, checked block by block and as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codec import MAX_BLOCK, Cid, cid_of
from ..content.base import BlockSource, BlockStore, get_record, put_record
from ..errors import CodecError, SpaceMismatch
from ..records import DsiModel, Space
from .model import Model
from .serialization import from_tensors, read_tensors, to_tensors, write_tensors

HEADER = 16 * 1024  # of a block, left to the safetensors header: it names at most a few dozen tensors
MAX_BLOCKS = 512  # of a model: what a client fetches, and holds in memory, for one


def publish_model(store: BlockStore, model: Model, space: Space) -> Cid:
    """Write a model's blocks: the CID of its `DsiModel`, for `Manifest.models`. Raises SpaceMismatch, StoreError."""
    if model.dimension != space.dimension:
        raise SpaceMismatch(f"the model has {model.dimension} dimensions, space {cid_of(space)} {space.dimension}.")
    record = DsiModel(
        space=cid_of(space),
        documents=len(model.ids),
        dimension=model.dimension,
        levels=model.trie.levels,
        weights=[store.put(block) for block in model_blocks(model)],
    )
    return put_record(store, record)


def fetch_model(
    source: BlockSource, cid: Cid, space: Cid | None = None, *, progress: Callable[[int], None] | None = None
) -> Model:
    """Fetch and check a model; ``space`` is the one it must be of, ``progress`` is told the bytes of each block.

    Raises SpaceMismatch, CodecError for what is no model, and what `BlockSource.get` raises.
    """
    record = get_record(source, cid, DsiModel)
    if space is not None and record.space != space:
        raise SpaceMismatch(f"model {cid} is of space {record.space}, not of {space}.")
    if not 0 < len(record.weights) <= MAX_BLOCKS:
        raise CodecError(f"model {cid} has {len(record.weights)} blocks; 1 to {MAX_BLOCKS} are allowed.")
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for block in record.weights:
        data = source.get(block)
        if progress:
            progress(len(data))
        _collect(parts, read_tensors(data, f"block {block} of model {cid}"), f"model {cid}")
    try:
        tensors = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    except ValueError as error:
        raise CodecError(f"model {cid}: the parts of a tensor do not fit each other.") from error
    model = from_tensors(tensors, f"model {cid}")
    if (len(model.ids), model.dimension, model.trie.levels) != (record.documents, record.dimension, record.levels):
        raise CodecError(f"model {cid} is not what its record says (documents, dimension or levels).")
    return model


def _collect(parts: dict[str, list[npt.NDArray[Any]]], tensors: dict[str, npt.NDArray[Any]], where: str) -> None:
    """Put the tensors of the next block behind those of the blocks before it."""
    for label, array in tensors.items():
        name, _, number = label.partition("/")
        if (number or "0") != str(len(parts.setdefault(name, []))):
            raise CodecError(f"{where}: tensor {label!r} is out of order.")
        parts[name].append(array)


def model_blocks(model: Model) -> Iterator[bytes]:
    """What is published of a model: tensors cut along their first axis, packed in order into files that fit a block."""
    tensors = to_tensors(model, half=True)
    room = MAX_BLOCK - HEADER
    packed: dict[str, npt.NDArray[Any]] = {}
    used = 0
    for name, array in tensors.items():
        size = max(array.nbytes // max(len(array), 1), 1)  # of a row
        start = part = 0
        while start < len(array) or part == 0:
            if (room - used) // size == 0 and packed:
                yield write_tensors(packed)
                packed, used = {}, 0
            stop = min(len(array), start + (room - used) // size)
            packed[f"{name}/{part}" if part else name] = array[start:stop]
            used += (stop - start) * size
            start, part = stop, part + 1
    yield write_tensors(packed)
