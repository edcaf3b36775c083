"""Models on IPFS: a record with links to safetensors blocks under 1 MiB, checked block by block and as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..codec import MAX_BLOCK, Cid, cid_of
from ..content.base import BlockSource, BlockStore, get_record, put_record
from ..errors import CodecError, SpaceMismatch
from ..records import DsiModel, Space
from .model import Model
from .serialization import from_tensors, read_tensors, to_tensors, write_tensors

HEADER = 16 * 1024  # bytes of a block for the safetensors header, which names at most a few dozen tensors
MAX_BLOCKS = 512  # of a model: bounds what a client fetches and holds in memory


def publish_model(store: BlockStore, model: Model, space: Space) -> Cid:
    """Write a model's blocks; return the CID of its `DsiModel` for the manifest. Raises SpaceMismatch, StoreError."""
    if model.dimension != space.dimension:
        raise SpaceMismatch(f"The model has {model.dimension} dimensions, space {cid_of(space)} {space.dimension}.")
    record = DsiModel(
        space=cid_of(space),
        documents=len(model.ids),
        dimension=model.dimension,
        levels=model.trie.levels,
        weights=[store.put(block) for block in model_blocks(model)],
    )
    return put_record(store, record)


def fetch_model(source: BlockSource, cid: Cid, space: Cid | None = None) -> Model:
    """Fetch and check a model, of ``space`` if given.

    Raises SpaceMismatch, CodecError for data that is not a model, and as `BlockSource.get`.
    """
    record = get_record(source, cid, DsiModel)
    if space is not None and record.space != space:
        raise SpaceMismatch(f"Model {cid} is of space {record.space}, not of {space}.")
    if not 0 < len(record.weights) <= MAX_BLOCKS:
        raise CodecError(f"Model {cid} has {len(record.weights)} blocks; 1 to {MAX_BLOCKS} are allowed.")
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for block in record.weights:
        for label, array in read_tensors(source.get(block), f"Block {block} of model {cid}").items():
            name, _, number = label.partition("/")
            if (number or "0") != str(len(parts.setdefault(name, []))):
                raise CodecError(f"Model {cid}: tensor {label!r} is out of order.")
            parts[name].append(array)
    try:
        tensors = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    except ValueError as error:
        raise CodecError(f"Model {cid}: the parts of a tensor do not fit each other.") from error
    model = from_tensors(tensors, f"Model {cid}")
    if (len(model.ids), model.dimension, model.trie.levels) != (record.documents, record.dimension, record.levels):
        raise CodecError(f"Model {cid} differs from its record in documents, dimension or levels.")
    return model


def model_blocks(model: Model) -> Iterator[bytes]:
    """Yield the blocks of a model: tensors split along the first axis, packed in order into files that fit a block."""
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
