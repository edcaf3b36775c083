"""Summary store of a large network: node summaries in segments on disk, and the index over them.

Everything here is rebuilt from cards when it is lost. A segment is on disk before its nodes count as known, so that an
interrupted client goes on after the last segment.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ...codec import Cid, cid_of, from_json, to_json
from ...errors import CodecError, StoreError
from ...files import make_folder, write_atomically
from ...records import Space
from ..node_view import NodeView
from .quantizer import Quantizer
from .segment import Encoded, Segment, make_segment, merge_segments, read_segment, write_segment
from .summary import CardSummary, summarize_card
from .summary_index import SummaryIndex

SEGMENT_NODES = (
    2048  # nodes: 80 MB at most; fifty segments of a hundred thousand nodes are looked through in a few milliseconds
)
SPARE = 32  # segments beyond those that would do, before small ones are merged
MOST_NODES = (
    125_000  # 5 GB on disk where all hold much, and 0.7 GB of memory beside what the system maps: no client more
)
VERSION = "3"  # of the files below; others are thrown away and made again


class SummaryStore:
    """Summaries of one network. Several threads may read `index`; one at a time changes it."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, and clear it if it cannot be read. Raises StoreError.

        Of several processes the first one writes; the others read, and keep in memory what they learn beyond that.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._writer = FileLock(folder / "lock", thread_local=False, mode=0o600)
        self._next = 0
        self.spaces: dict[Cid, int] = {}
        self.records: dict[Cid, Space] = {}
        self._quantizers: dict[int, Quantizer] = {}
        self._files: list[Path] = []
        with _translated(folder):
            make_folder(folder)
            with suppress(Timeout):
                self._writer.acquire(timeout=0)
            try:
                self.index = self._open()
            except CodecError:
                self._clear()

    def close(self) -> None:
        """Let another process write."""
        self._writer.release()

    # --- reading -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.index)

    def holds(self, node: int, manifest: Cid) -> bool:
        """Return True if the node's summary is of this manifest."""
        index = self.index
        row = index.row_of.get(node)
        return row is not None and bool(index.columns["manifest"][row].tobytes() == manifest.digest)

    def title(self, node: int) -> str:
        """Return the title of a node that is summarized."""
        index = self.index
        return bytes(index.columns["title"][index.row_of[node]]).decode(errors="ignore")

    # --- changing ----------------------------------------------------------------------------------------------

    def learn(self, space: Space, views: Sequence[NodeView]) -> None:
        """Train a quantizer for a space on the cards of some of its nodes. Raises StoreError."""
        vectors = np.concatenate([summarize_card(view).groups for view in views])
        rows = np.random.default_rng(len(vectors)).permutation(len(vectors))
        quantizer, number = Quantizer.learn(vectors[rows]), len(self.spaces)
        with self._lock, _translated(self._folder):
            if self._writer.is_locked:
                quantizer.save(self._folder / f"{number}.lens")
                write_atomically(self._folder / f"{number}.space", to_json(space).encode())
            self._quantizers[number] = quantizer
            self.records[cid_of(space)] = space
            self.spaces[cid_of(space)] = number

    def add(self, summaries: Sequence[tuple[Cid, CardSummary]]) -> None:
        """Keep summaries, each with its space, which was learnt before: on the disk when this returns. Raises
        StoreError.

        Beyond `MOST_NODES` nodes no new ones are taken in.
        """
        room = MOST_NODES - len(self.index)
        kept: list[tuple[int, CardSummary]] = []
        for space, summary in summaries:
            new = summary.node not in self.index.row_of
            if room > 0 or not new:
                kept.append((self.spaces[space], summary))
                room -= new
        encoded = self._encoded(kept)
        with self._lock, _translated(self._folder):
            for first in range(0, len(encoded), SEGMENT_NODES):
                segment = self._kept(make_segment(encoded[first : first + SEGMENT_NODES]))
                self.index = self.index.with_segment(segment, self._quantizers)
            if len(self._files) > SPARE + 2 * len(self.index) // SEGMENT_NODES:
                self._compact()

    def _encoded(self, kept: Sequence[tuple[int, CardSummary]]) -> list[Encoded]:
        """Encode in few calls of many vectors each: threads of linear algebra cost more than they save on few."""
        found: dict[int, Encoded] = {}
        for space in {space for space, _ in kept}:
            places = [place for place, (own, _) in enumerate(kept) if own == space]
            cells, codes = self._quantizers[space].encode(np.concatenate([kept[place][1].groups for place in places]))
            ends = np.cumsum([len(kept[place][1].groups) for place in places])[:-1]
            for place, cell, code in zip(places, np.split(cells, ends), np.split(codes, ends), strict=True):
                found[place] = Encoded(kept[place][1], space, cell, code)
        return [found[place] for place in range(len(kept))]

    def forget(self, nodes: Collection[int]) -> None:
        """Remove nodes that have left the network."""
        rows = [self.index.row_of[node] for node in nodes if node in self.index.row_of]
        if rows:
            with self._lock, _translated(self._folder):
                alive = self.index.alive.copy()
                alive[rows] = False
                self.index = SummaryIndex(self.index.segments, alive, self._quantizers)
                self._compact()

    # --- files -------------------------------------------------------------------------------------------------

    def _open(self) -> SummaryIndex:
        marker = self._folder / "version"
        if not marker.is_file() or marker.read_text() != VERSION:
            raise CodecError(f"{self._folder} was written by another version.")
        for number in range(len(list(self._folder.glob("*.space")))):
            space = from_json((self._folder / f"{number}.space").read_bytes(), Space)
            self._quantizers[number] = Quantizer.load(self._folder / f"{number}.lens", space.dimension)
            self.spaces[cid_of(space)], self.records[cid_of(space)] = number, space
        segments: list[Segment] = []
        for path in sorted(self._folder.glob("*.page")):
            self._next = int(path.stem) + 1
            with suppress(CodecError):  # else its nodes are fetched again
                segments.append(self._readable(path))
                self._files.append(path)
        return SummaryIndex(segments, _newest(segments), self._quantizers)

    def _readable(self, path: Path) -> Segment:
        try:
            segment = read_segment(path)
            if not set(np.unique(segment.rows["space"]).tolist()) <= self._quantizers.keys():
                raise CodecError(f"{path} is of a space that was lost.")
            return segment
        except CodecError:
            if self._writer.is_locked:
                path.unlink()
            raise

    def _clear(self) -> None:
        self.spaces, self.records, self._quantizers, self._files = {}, {}, {}, []
        if self._writer.is_locked:
            for pattern in ("*.page", "*.lens", "*.space"):
                for path in self._folder.glob(pattern):
                    path.unlink()
            write_atomically(self._folder / "version", VERSION.encode())
        self.index = SummaryIndex([], np.zeros(0, bool), {})

    def _kept(self, segment: Segment) -> Segment:
        path = self._folder / f"{self._next:08}.page"
        self._next += 1
        self._files.append(path)
        if not self._writer.is_locked:
            return segment
        write_segment(path, segment)
        return read_segment(path)

    def _compact(self) -> None:
        """Merge segments that are half empty, some at a time, and begin a new index."""
        index, old, group, size = self.index, self._files, list[int](), 0
        alive = [index.alive[index.first[n] : index.first[n + 1]] for n in range(len(old))]
        good = [int(each.sum()) for each in alive]
        kept = [n for n in range(len(old)) if good[n] > SEGMENT_NODES // 2]
        segments = [index.segments[n] for n in kept]
        states = [alive[n] for n in kept]
        self._files = [old[n] for n in kept]
        merged: list[list[int]] = []
        for number in (n for n in range(len(old)) if 0 < good[n] <= SEGMENT_NODES // 2):
            if size + good[number] > SEGMENT_NODES:
                merged.append(group)
                group, size = [], 0
            group.append(number)
            size += good[number]
        for each in [*merged, group]:
            if each:
                segments.append(self._kept(merge_segments([index.segments[n] for n in each], [alive[n] for n in each])))
                states.append(np.ones(len(segments[-1].rows), bool))
        if self._writer.is_locked:
            for path in set(old) - set(self._files):
                path.unlink(missing_ok=True)
        self.index = SummaryIndex(segments, np.concatenate([np.zeros(0, bool), *states]), self._quantizers)


def _newest(segments: Sequence[Segment]) -> npt.NDArray[np.bool_]:
    """Return the rows that are the last of their node."""
    nodes = np.concatenate([np.zeros(0, np.uint64), *(segment.rows["node"] for segment in segments)])
    _, last = np.unique(nodes[::-1], return_index=True)
    alive = np.zeros(len(nodes), bool)
    alive[len(nodes) - 1 - last] = True
    return alive


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"What is known of the network's nodes cannot be kept in {folder}: {error.strerror}.",
            hint="Free some space, or remove the folder: it is made again from the nodes' cards.",
        ) from error
