"""Cache of verified ONNX graphs, one for each space, with a record of how each was verified."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

from filelock import FileLock, Timeout

from ..codec import from_json, to_json
from ..config import home
from ..errors import CodecError, MissingExtra, StoreError
from ..files import make_folder, write_atomically
from ..records import Record, Space
from .models import fetch_graph

LOCK_SECONDS = 600  # an export takes 20 s on two cores; another process may be running one

PINNED_GRAPHS = {
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db": (
        "6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452"
    ),
}
"""Weights digest -> sha2-256 of the ``onnx/model.onnx`` published with them, used where torch is absent."""

Notify = Callable[[str], None]  # shows the user a message before slow work


class GraphRecord(Record, frozen=True):
    """Record beside a graph. ``cosine`` of an export is the lowest one to torch over the probes."""

    source: str  # "export" | "hub"
    sha256: str
    cosine: float | None = None


def model_home(space: Space) -> Path:
    """Return the folder of all files derived from one set of weights."""
    return home() / "models" / space.weights.hex()


def onnx_graph(folder: Path, space: Space, notify: Notify | None = None) -> Path:
    """Return the verified ``model.onnx`` of a space; the first use creates it, in one process at a time.

    Raises MissingExtra, ModelNotFound, SpaceMismatch, StoreError.
    """
    target = model_home(space) / "model.onnx"
    if read_graph_record(target) is None:
        try:
            make_folder(target.parent)
            with FileLock(target.with_suffix(".lock"), timeout=LOCK_SECONDS, mode=0o600):
                if read_graph_record(target) is None:
                    _create(folder, space, target, notify or (lambda _: None))
        except Timeout as error:
            raise StoreError(
                f"{target} has been locked by another process for {LOCK_SECONDS} s.", hint="End that process."
            ) from error
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error}.", hint="Point KNET_HOME elsewhere.") from error
    return target


def read_graph_record(target: Path) -> GraphRecord | None:
    """Return the record of a finished graph; None when there is none."""
    try:
        record = from_json(target.with_suffix(".json").read_bytes(), GraphRecord)
    except (OSError, CodecError):
        return None
    return record if target.is_file() else None


def _create(folder: Path, space: Space, target: Path, notify: Notify) -> None:
    partial = target.with_name(f".model.{os.getpid()}.onnx")
    try:
        if importlib.util.find_spec("sentence_transformers"):
            notify(f"Exporting {space.model} to ONNX. This happens once and takes about 20 seconds.")
            from .onnx_export import export_onnx

            cosine = export_onnx(folder, space, partial)
            record = GraphRecord(source="export", sha256=_sha256(partial), cosine=cosine)
        else:
            pinned = PINNED_GRAPHS.get(space.weights.hex())
            if pinned is None:
                raise MissingExtra(f"torch, which exports {space.model} to ONNX,", "export")
            notify(f"Fetching the ONNX graph of {space.model}. This happens once.")
            copyfile(fetch_graph(folder, space.model), partial)
            if _sha256(partial) != pinned:
                raise MissingExtra(f"The hub's ONNX graph of {space.model} changed, and torch, to check it,", "export")
            record = GraphRecord(source="hub", sha256=pinned)
        os.replace(partial, target)
        write_atomically(target.with_suffix(".json"), to_json(record, indent=2).encode())
    finally:
        partial.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
