"""Choice of the precision for bulk embedding on this machine: measured once and stored."""

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

SAMPLE = [probe * 3 for probe in PROBES[2:7]] * 3  # 15 texts as long as a chunk: half a second in float32
ROUNDS = 3  # alternating, the fastest round of each counts: other processes may use the cores
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


class BackendMeasurement(Record, frozen=True):
    """Result of `measure` on one machine. ``cosine`` is the lowest one between bfloat16 and float32 vectors."""

    machine: str
    precision: Precision
    cosine: float
    texts_per_second: dict[Precision, float]


def bulk_embedder(folder: Path, space: Space) -> TorchEmbedder:
    """Return the fastest verified torch backend here; `backend.json` beside the graph stores the measurement.

    Raises ModelNotFound, StoreError.
    """
    path = model_home(space) / "backend.json"
    embedder = TorchEmbedder(folder, space)
    try:
        measurement = from_json(path.read_bytes(), BackendMeasurement)
    except (OSError, CodecError):
        measurement = None
    if measurement is None or measurement.machine != hardware_id():
        measurement = measure(embedder)
        try:
            write_atomically(path, to_json(measurement, indent=2).encode())
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}.", hint="Point KNET_HOME elsewhere.") from error
    embedder.precision = measurement.precision
    return embedder


def measure(embedder: TorchEmbedder) -> BackendMeasurement:
    """Time both precisions. Reject bfloat16 where its cosine to float32 is below `MIN_BACKEND_COSINE`."""
    vectors = {}
    speeds = dict.fromkeys(PRECISIONS, 0.0)
    for _ in range(ROUNDS):
        for precision in PRECISIONS:
            embedder.precision = precision
            vectors[precision] = embedder.encode(PROBES)  # also warms up
            speeds[precision] = max(speeds[precision], _speed(embedder))
    cosine = min_cosine(vectors["fp32"], vectors["bf16"])
    use_bf16 = cosine >= MIN_BACKEND_COSINE and speeds["bf16"] > speeds["fp32"]
    return BackendMeasurement(
        machine=hardware_id(), precision="bf16" if use_bf16 else "fp32", cosine=cosine, texts_per_second=speeds
    )


def _speed(embedder: TorchEmbedder) -> float:
    start = time.perf_counter()
    embedder.encode(SAMPLE)
    return len(SAMPLE) / (time.perf_counter() - start)
