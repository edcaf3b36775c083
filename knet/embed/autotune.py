"""Choose how this machine embeds thousands of texts: measured once, remembered, never at the cost of agreement."""

from __future__ import annotations

import time
from pathlib import Path

from ..codec import from_json, to_json
from ..errors import CodecError, StoreError
from ..files import write_atomically
from ..records import Record, Space
from .base import MIN_BACKEND_COSINE
from .onnx_cache import model_home
from .probes import PROBES, min_cosine
from .torch_backend import Precision, TorchEmbedder, hardware_id

SAMPLE = [probe * 3 for probe in PROBES[2:7]] * 3  # 15 texts of a chunk's length: half a second in float32
ROUNDS = 3  # in turn, the fastest of each: another process may take the cores for a moment
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


class BackendMeasurement(Record, frozen=True):
    """What was measured on one machine. ``cosine`` is the least agreement of bfloat16 with float32."""

    machine: str
    precision: Precision
    cosine: float
    texts_per_second: dict[Precision, float]


def bulk_embedder(folder: Path, space: Space) -> TorchEmbedder:
    """The fastest verified torch backend here; `backend.json` beside the graph remembers which.

    Raises ModelNotFound, StoreError.
    """
    path = model_home(space) / "backend.json"
    embedder = TorchEmbedder(folder, space)
    choice = _remembered(path)
    if choice is None:
        choice = measure(embedder)
        try:
            write_atomically(path, to_json(choice, indent=2).encode())
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}.", hint="Point KNET_HOME elsewhere.") from error
    embedder.precision = choice.precision
    return embedder


def measure(embedder: TorchEmbedder) -> BackendMeasurement:
    """Time both precisions, and keep bfloat16 out where it strays further than `MIN_BACKEND_COSINE`."""
    vectors = {}
    speeds = dict.fromkeys(PRECISIONS, 0.0)
    for _ in range(ROUNDS):
        for precision in PRECISIONS:
            embedder.precision = precision
            vectors[precision] = embedder.encode(PROBES)  # also warms up
            speeds[precision] = max(speeds[precision], _speed(embedder))
    cosine = min_cosine(vectors["fp32"], vectors["bf16"])
    low = cosine >= MIN_BACKEND_COSINE and speeds["bf16"] > speeds["fp32"]
    return BackendMeasurement(
        machine=hardware_id(), precision="bf16" if low else "fp32", cosine=cosine, texts_per_second=speeds
    )


def _speed(embedder: TorchEmbedder) -> float:
    start = time.perf_counter()
    embedder.encode(SAMPLE)
    return len(SAMPLE) / (time.perf_counter() - start)


def _remembered(path: Path) -> BackendMeasurement | None:
    try:
        choice = from_json(path.read_bytes(), BackendMeasurement)
    except (OSError, CodecError):
        return None
    return choice if choice.machine == hardware_id() else None
