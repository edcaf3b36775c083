"""Nearest neighbours among many vectors: an inverted file (FAISS) on disk, mapped into memory.

It keeps the committed float16 vectors unchanged, so the products that rank candidates are exact. It misses only
neighbours in lists that it does not probe. The number of probed lists is chosen by measurement.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
import numpy.typing as npt

from knet.errors import StoreError
from knet.index.dense import ExactIndex, Rows
from knet.index.shard import Vectors

LIST_FACTOR = 2.0  # times the square root of the vectors: finding the lists then costs about as much as reading them
TRAINING_PER_LIST = 40  # FAISS asks for at least 39
ROUNDS = 10  # of k-means
PROBES = 256  # vectors for which found and true neighbours are compared
NEIGHBOURS = 10
MIN_RECALL = 0.99  # of the true neighbours
PROBE_FACTOR = 4  # questions lie farther out than passages and need more lists: recall .97 becomes .99
MAX_PROBED_SHARE = 1 / 8  # of the lists: among a million diffuse vectors recall .98 in 9 ms; all lists take 80 ms

Numbers = npt.NDArray[np.int64]
Batches = Callable[[], Iterable[tuple[Numbers, Vectors]]]


def build_ivf(path: Path, dimension: int, count: int, batches: Batches, progress: Callable[[int, int], None]) -> None:
    """Write the index of ``count`` vectors. ``batches`` yields them with their numbers, each time it is called.

    Raises StoreError.
    """
    lists = max(1, int(LIST_FACTOR * math.sqrt(count)))
    random = np.random.default_rng(1)
    training = np.sort(random.permutation(count)[: TRAINING_PER_LIST * lists])
    probes = _picked(batches(), random.choice(training, min(PROBES, len(training)), replace=False))
    quantizer = faiss.IndexFlatIP(dimension)
    kind = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(quantizer, dimension, lists, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.cp.niter = ROUNDS
    index.cp.min_points_per_centroid = 1
    progress(0, count)
    index.train(_picked(batches(), training))
    truth = _Nearest(probes)
    done = 0
    for numbers, vectors in batches():
        index.add_with_ids(vectors, numbers)
        truth.consider(numbers, vectors)
        done += len(numbers)
        progress(done, count)
    index.nprobe = _lists_to_read(index, truth)
    partial = path.with_name(f".{path.name}")
    try:
        faiss.write_index(index, str(partial))
        os.replace(partial, path)
    except (RuntimeError, OSError) as error:
        raise StoreError(f"{path} cannot be written: {error}.", hint="Free some space.") from error


def _picked(batches: Iterable[tuple[Numbers, Vectors]], positions: Numbers) -> Vectors:
    """Return the vectors at these positions of all, in order."""
    wanted, seen, found = np.sort(positions), 0, []
    for _, vectors in batches:
        low, high = np.searchsorted(wanted, [seen, seen + len(vectors)])
        found.append(vectors[wanted[low:high] - seen])
        seen += len(vectors)
    return np.concatenate(found)


class _Nearest:
    """The true neighbours of the probes, found in one pass over all vectors. A vector is not its own neighbour."""

    def __init__(self, probes: Vectors) -> None:
        self.probes = probes
        self._scores = np.full((len(probes), NEIGHBOURS + 1), -np.inf, np.float32)
        self._numbers = np.full((len(probes), NEIGHBOURS + 1), -1, np.int64)

    def consider(self, numbers: Numbers, vectors: Vectors) -> None:
        scores = np.hstack([self._scores, self.probes @ vectors.T])
        known = np.hstack([self._numbers, np.broadcast_to(numbers, (len(self.probes), len(numbers)))])
        best = np.argpartition(-scores, NEIGHBOURS, axis=1)[:, : NEIGHBOURS + 1]
        self._scores, self._numbers = np.take_along_axis(scores, best, 1), np.take_along_axis(known, best, 1)

    def share_of(self, found: Numbers) -> float:
        """Return the recall of ``found``, the neighbours ``(probes, NEIGHBOURS + 1)`` that a search returned."""
        own = self._numbers[np.arange(len(self.probes)), self._scores.argmax(axis=1)]
        pairs = zip(self._numbers.tolist(), found.tolist(), own.tolist(), strict=True)
        pairs_found = [(set(true) - {same, -1}, got) for true, got, same in pairs]
        return float(np.mean([len(true.intersection(got)) / max(len(true), 1) for true, got in pairs_found]))


def _lists_to_read(index: Any, truth: _Nearest) -> int:
    """Return the number of lists to probe: the fewest, by doubling, with enough recall, times `PROBE_FACTOR`."""
    probe = 1
    while probe < index.nlist:
        index.nprobe = probe
        if truth.share_of(index.search(truth.probes, NEIGHBOURS + 1)[1]) >= MIN_RECALL:
            break
        probe *= 2
    return min(PROBE_FACTOR * probe, max(1, int(MAX_PROBED_SHARE * index.nlist)))


class Tail(NamedTuple):
    """Vectors added after the file was written, and their rows."""

    rows: Numbers
    vectors: Vectors


class DiskVectorIndex:
    """The inverted file and the vectors added since, as one `knet.index.dense.DenseIndex`."""

    def __init__(self, path: Path | None, row_of: npt.NDArray[np.int32], tail: Tail) -> None:
        """``row_of`` maps each number in the file to its row, -1 where it has none. Raises StoreError."""
        self._row_of = row_of
        self._tail = tail
        self._exact = ExactIndex(tail.vectors)
        self._index: Any = None
        if path is not None:
            try:
                self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
                lists: Any = faiss.downcast_InvertedLists(self._index.invlists)
                lists.prefetch_nthread = 0  # a thread for each list costs more than the kernel's read-ahead
            except (RuntimeError, AttributeError, TypeError) as error:  # FAISS's errors for a truncated file
                raise StoreError(f"{path} is damaged: {error}.") from error
            self._bits = np.packbits(row_of >= 0, bitorder="little")
            self._live = faiss.IDSelectorBitmap(len(row_of), faiss.swig_ptr(self._bits))
            self._parameters: Any = faiss.SearchParametersIVF()
            self._parameters.sel = self._live
            self._parameters.nprobe = self._index.nprobe

    def nearest(self, vector: Vectors, k: int) -> Rows:
        rows = self._tail.rows[self._exact.nearest(vector, k)] if len(self._tail.rows) else np.zeros(0, np.int64)
        if self._index is None:
            return rows
        faiss.omp_set_num_threads(1)  # as in `ExactIndex`
        products, numbers = self._index.search(vector[None, :], k, params=self._parameters)
        found = numbers[0] >= 0
        inside: Rows = self._row_of[numbers[0][found]].astype(np.int64)
        if not len(rows):
            return inside
        outside = self._tail.vectors[np.searchsorted(self._tail.rows, rows)] @ vector
        scores = np.concatenate([products[0][found], outside])
        best: Rows = np.concatenate([inside, rows])[np.argsort(-scores, kind="stable")[:k]]
        return best
