"""In-memory index over node summaries: proposes candidate nodes for a query and returns their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ...index.lexical import term_hash
from ...index.shard import Vectors
from ..card_index import CardFeatures, Rows
from ..features import EPSILON, JOINT_WEIGHT, WEIGHTS
from .quantizer import CodeIndex, Quantizer
from .segment import CODE, ROW, Segment
from .summary import GROUPS, MOST_CHUNKS, PLACES

BY_BOTH = 256  # nodes proposed for their nearest group and their words together
BY_WORDS = 64  # nodes proposed for the words they hold, whatever they are about
NEAREST = 2048  # groups looked at for that: a node counts once, however many of its groups are near
MOST_POSTINGS = 1 << 17  # read for a question, rarest terms first; terms that nearly every node holds propose none
COSINE = WEIGHTS[0] + WEIGHTS[2] + WEIGHTS[3]  # weight of a cosine in the features that contain it
WORDS = WEIGHTS[1] + JOINT_WEIGHT * WEIGHTS[2] + WEIGHTS[4]  # the same for the share of a question's idf
SAMPLE = 128  # nodes of a space from which its scale of cosines is told

Numbers = npt.NDArray[np.intp]


class Terms(NamedTuple):
    """Terms of a question: hashes, and the idf of each among all nodes."""

    keys: npt.NDArray[np.uint32]
    idf: Rows


class _Held(NamedTuple):
    """Postings of a question: rows and the terms they hold, and, run by run, the groups that hold them."""

    rows: npt.NDArray[np.int32]
    term: npt.NDArray[np.uint16]
    places: list[npt.NDArray[np.uint64]]


class SummaryIndex:
    """Segments side by side. Rows are numbered through all segments; ``alive`` marks those that are current."""

    def __init__(
        self, segments: Sequence[Segment], alive: npt.NDArray[np.bool_], quantizers: Mapping[int, Quantizer]
    ) -> None:
        self.segments = list(segments)
        self.alive = alive
        self._quantizers = quantizers
        self._code_indexes: dict[int, CodeIndex] = {}
        self._begin()
        for number, segment in enumerate(self.segments):
            self._index(segment, self.first[number])

    def _begin(self) -> None:
        sizes = [len(segment.rows) for segment in self.segments]
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        fields = ("node", "space", "chunks", "tokens", "weight", "spread", "documents", "sequence", "manifest", "title")
        self.columns = {
            name: np.concatenate([np.zeros(0, ROW)[name], *(segment.rows[name] for segment in self.segments)])
            for name in fields
        }
        chunks = self.columns["chunks"].astype(float)
        counted = np.minimum(chunks, MOST_CHUNKS)
        good = self.alive & (chunks > 0)
        self.chunks = float(counted[good].sum())
        self.tokens = float((self.columns["tokens"] * counted / np.maximum(chunks, 1))[good].sum())
        self.usable = good
        self._last: tuple[bytes, list[tuple[Numbers, npt.NDArray[np.bool_]]]] = b"none", []
        self.row_of = dict(zip(self.columns["node"][self.alive].tolist(), np.flatnonzero(self.alive), strict=True))

    def _index(self, segment: Segment, first: int) -> None:
        filled = segment.rows["weight"] > 0
        for space in np.unique(segment.rows["space"]).tolist():
            row, group = np.nonzero(filled & (segment.rows["space"] == space)[:, None])
            code_index = self._code_indexes.setdefault(space, self._quantizers[space].code_index())
            code_index.add((first + row) * GROUPS + group, segment.rows["cell"][row, group], segment.codes[row, group])

    def with_segment(self, segment: Segment, quantizers: Mapping[int, Quantizer]) -> Self:
        """Return an index with one more segment, whose nodes' earlier rows are no longer current.

        Both share the indexes, so that questions under way go on with this one.
        """
        alive = np.concatenate([self.alive, np.ones(len(segment.rows), bool)])
        alive[[self.row_of[node] for node in segment.rows["node"].tolist() if node in self.row_of]] = False
        index = type(self)([], np.zeros(0, bool), quantizers)
        index.segments, index.alive, index._code_indexes = [*self.segments, segment], alive, self._code_indexes
        index._begin()
        index._index(segment, int(index.first[-2]))
        return index

    def __len__(self) -> int:
        return len(self.row_of)

    # --- what is known of all ----------------------------------------------------------------------------------

    def counts(self, terms: Sequence[str]) -> dict[str, int]:
        """Return the number of chunks that hold each term; a card counts for `MOST_CHUNKS` chunks at most."""
        keys = np.array([term_hash(term) for term in terms], np.uint32)
        df = np.zeros(len(keys))
        for segment, (at, there) in zip(self.segments, self._found(keys), strict=True):
            df[there] += segment.df[at[there]]
        return dict(zip(terms, np.ceil(df).astype(int).tolist(), strict=True))

    def _found(self, keys: npt.NDArray[np.uint32]) -> list[tuple[Numbers, npt.NDArray[np.bool_]]]:
        """Return the position of these terms in each segment; cached, since each query needs it twice."""
        named = keys.tobytes()
        known, found = self._last
        if known != named:
            found = [segment.postings(keys) for segment in self.segments]
            self._last = named, found
        return found

    # --- one question ------------------------------------------------------------------------------------------

    def proposed(
        self, terms: Terms, vectors: Mapping[int, Vectors], allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Numbers, _Held]:
        """Return the rows proposed for a question: nearest in meaning, or holding most of its terms by idf.

        ``vectors`` is the question by number of space; ``allowed`` marks the rows that may be proposed.
        """
        held = self._held(terms)
        good = self.usable if allowed is None else self.usable & allowed
        weight = np.bincount(held.rows, terms.idf[held.term], len(self.alive))
        weight[~good] = 0
        share = WORDS / max(float(terms.idf.sum()), EPSILON)
        both = [
            self._nearest(self._code_indexes[s], v, good, np.asarray(weight * share, np.float64))
            for s, v in vectors.items()
            if s in self._code_indexes
        ]
        holders = np.flatnonzero(weight)
        count = min(BY_WORDS, len(holders))
        words = holders[np.argpartition(-weight[holders], count - 1)[:count]] if count else holders
        return np.unique(np.concatenate([*both, words]).astype(np.intp)), held

    @staticmethod
    def _nearest(code_index: CodeIndex, vector: Vectors, good: npt.NDArray[np.bool_], words: Rows) -> Numbers:
        """Return the rows with a group near ``vector`` that score best by that and by their terms."""
        ids, cosines = code_index.nearest(vector, NEAREST)
        rows, first = np.unique(ids // GROUPS, return_index=True)
        own = rows < len(good)  # the index may have a segment more, which is another index's
        own[own] = good[rows[own]]
        rows, first = rows[own], first[own]
        score = COSINE * cosines[first] + words[rows]
        return np.asarray(rows[np.argsort(-score, kind="stable")[:BY_BOTH]], np.intp)

    def _held(self, terms: Terms) -> _Held:
        """Return postings of the rarest terms, `MOST_POSTINGS` at most."""
        found = self._found(terms.keys)
        begin = np.stack(
            [segment.start[at] for segment, (at, _) in zip(self.segments, found, strict=True)] or [terms.keys]
        )
        end = np.stack(
            [segment.start[at + there] for segment, (at, there) in zip(self.segments, found, strict=True)] or [begin[0]]
        )
        total = (end.astype(np.int64) - begin).sum(0)
        rarest = np.argsort(total, kind="stable")
        read = rarest[np.cumsum(total[rarest]) <= MOST_POSTINGS]
        begin, end = begin[:, read], end[:, read]
        number, each = np.nonzero(begin < end)
        runs = [slice(*run) for run in zip(begin[number, each].tolist(), end[number, each].tolist(), strict=True)]
        segments = [self.segments[segment] for segment in number.tolist()]
        lengths = (end - begin)[number, each]
        holders = [segment.holder[run] for segment, run in zip(segments, runs, strict=True)]
        return _Held(
            rows=np.repeat(self.first[number].astype(np.int32), lengths)
            + np.concatenate([np.zeros(0, np.uint16), *holders]),
            term=np.repeat(read[each].astype(np.uint16), lengths),
            places=[segment.places[run] for segment, run in zip(segments, runs, strict=True)],
        )

    def card_features(self, rows: Numbers, held: _Held, terms: Terms, vectors: Mapping[int, Vectors]) -> CardFeatures:
        """Return the features of these rows' summaries; places are groups here."""
        at = np.full(len(self.alive), -1)
        at[rows] = np.arange(len(rows))
        mine = at[held.rows]
        among = np.flatnonzero(mine >= 0)
        bits = np.zeros((len(rows), len(terms.keys)), PLACES)
        bits[mine[among], held.term[among]] = _picked(held.places, among)
        place = np.unpackbits(bits.view(np.uint8).reshape(*bits.shape, GROUPS // 8), axis=2, bitorder="little").astype(
            bool
        )
        return CardFeatures(
            cosine=self._cosines(rows, vectors),
            spread=self.columns["spread"][rows].astype(float),
            weight=self.columns["weight"][rows].astype(float),
            df=place.any(2).astype(float),
            place=place,
            chunks=self.columns["chunks"][rows].astype(float),
        )

    def _cosines(self, rows: Numbers, vectors: Mapping[int, Vectors]) -> Rows:
        """Return ``(m, GROUPS)``; other spaces are scaled to the most common one, as in `knet.routing.card_index`."""
        result = np.full((len(rows), GROUPS), -1.0)
        space_of = self.columns["space"][rows]
        spaces = sorted(vectors, key=lambda space: -int((self.columns["space"] == space).sum()))
        scale: tuple[float, float] | None = None
        for space in spaces:
            mine = np.flatnonzero(space_of == space)
            cosines = self._decoded(rows[mine], space, vectors[space])
            if len(spaces) > 1:
                mean, deviation = self._scale(space, vectors[space])
                if scale is None:
                    scale = mean, deviation
                elif deviation > 0:
                    cosines = scale[0] + (cosines - mean) * scale[1] / deviation
            result[mine] = cosines
        return np.where(self.columns["weight"][rows] > 0, result, -1.0)

    def _scale(self, space: int, vector: Vectors) -> tuple[float, float]:
        rows = np.flatnonzero(self.usable & (self.columns["space"] == space))
        sample = rows[:: max(len(rows) // SAMPLE, 1)]
        filled = self._decoded(sample, space, vector)[self.columns["weight"][sample] > 0]
        return (float(filled.mean()), float(filled.std())) if len(filled) else (0.0, 0.0)

    def _decoded(self, rows: Numbers, space: int, vector: Vectors) -> Rows:
        """Return ``(m, GROUPS)``, decoded one segment at a time, to fit the processor's cache."""
        result, table = np.zeros((len(rows), GROUPS)), self._quantizers[space].table(vector)
        segment = np.searchsorted(self.first, rows, "right") - 1
        for number in np.unique(segment).tolist():
            mine = segment == number
            codes = self.segments[number].codes[rows[mine] - self.first[number]]
            result[mine] = table.take(codes + np.arange(CODE, dtype=np.uint16) * 256).sum(2)
        return result


def _picked(runs: Sequence[npt.NDArray[np.uint64]], among: Numbers) -> npt.NDArray[np.uint64]:
    """Return the numbers at these ascending places of runs that lie end to end; others are not read."""
    ends = np.cumsum([len(run) for run in runs])
    cuts = np.searchsorted(among, ends)
    picked = [np.zeros(0, np.uint64)]
    for run, first, last, end in zip(runs, [0, *cuts[:-1].tolist()], cuts.tolist(), ends.tolist(), strict=False):
        if first < last:
            picked.append(run[among[first:last] - (end - len(run))])
    return np.concatenate(picked)
