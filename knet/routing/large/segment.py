"""Segment: summaries of many nodes in one file, written once, mapped into memory and merged with others.

A segment is inverted: the terms any of its nodes holds, in how many chunks altogether, and for each node's most telling
terms which groups hold them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from ...errors import CodecError
from ...files import write_atomically
from .summary import GROUPS, PLACES, TITLE, CardSummary

TERMS = 4096  # of a node that are kept one by one, of most all: dropping half ranks the best nodes worse
CODE = 48  # bytes a group's vector takes

ROW = np.dtype(
    [
        ("node", "<u8"),
        ("manifest", "V32"),
        ("sequence", "<u8"),
        ("title", f"S{TITLE}"),
        ("documents", "<u8"),
        ("chunks", "<u8"),
        ("tokens", "<f8"),
        ("space", "<u2"),
        ("weight", "<u4", GROUPS),
        ("spread", "<f2", GROUPS),
        ("cell", "<u2", GROUPS),
    ]
)


class Encoded(NamedTuple):
    """A summary with its vectors encoded: ``cell`` ``(g,)`` and ``code`` ``(g, CODE)``; ``space`` names the encoder."""

    summary: CardSummary
    space: int
    cell: npt.NDArray[np.uint16]
    code: npt.NDArray[np.uint8]


class Segment(NamedTuple):
    """``r`` nodes, ``u`` different terms, ``p`` postings."""

    rows: npt.NDArray[np.void]  # (r,) of `ROW`
    codes: npt.NDArray[np.uint8]  # (r, GROUPS, CODE)
    terms: npt.NDArray[np.uint32]  # (u,) hashes, sorted
    df: npt.NDArray[np.float32]  # (u,) chunks of these nodes that hold each
    start: npt.NDArray[np.uint32]  # (u + 1,) where each term's postings begin
    holder: npt.NDArray[np.uint16]  # (p,) row of a node that holds it
    places: npt.NDArray[np.uint64]  # (p,) in which of its groups

    def postings(self, keys: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return ``(t,)`` the position of each term, and ``(t,)`` True where the term exists."""
        at = np.searchsorted(self.terms, keys)
        there = at < len(self.terms)
        there[there] = self.terms[at[there]] == keys[there]
        return at, there


def make_segment(encoded: Sequence[Encoded]) -> Segment:
    """Return a segment of these nodes. The kept terms of a node depend on the number of other nodes that hold them."""
    rows = np.zeros(len(encoded), ROW)
    codes = np.zeros((len(encoded), GROUPS, CODE), np.uint8)
    for row, (each, space, cell, code) in enumerate(encoded):
        fixed = (each.node, each.manifest, each.sequence, each.title.encode()[:TITLE], each.documents, each.chunks)
        rows[row] = (*fixed, each.length * each.chunks, space, *(_padded(x) for x in (each.weight, each.spread, cell)))
        codes[row, : len(code)] = code
    summaries = [each.summary for each in encoded]
    every = np.concatenate([np.zeros(0, np.uint32), *(summary.terms for summary in summaries)])
    terms, which = np.unique(every, return_inverse=True)
    df = np.bincount(which, np.concatenate([np.zeros(0), *(summary.df for summary in summaries)]), len(terms)).astype(
        float
    )
    idf = np.log1p(len(summaries) / np.maximum(np.bincount(which, minlength=len(terms)), 1))
    kept: list[npt.NDArray[np.bool_]] = []
    at = 0
    for summary in summaries:
        telling = idf[which[at : at + len(summary.terms)]] * np.log1p(summary.df)
        kept.append(_most(telling))
        at += len(summary.terms)
    keep = np.concatenate([np.zeros(0, bool), *kept])
    holder = np.repeat(np.arange(len(summaries)), [len(summary.terms) for summary in summaries])
    places = np.concatenate([np.zeros(0, PLACES), *(summary.places for summary in summaries)])
    return _inverted(rows, codes, terms, df, which[keep], holder[keep], places[keep])


def merge_segments(segments: Sequence[Segment], alive: Sequence[npt.NDArray[np.bool_]]) -> Segment:
    """Return one segment of the current rows of several; a segment's statistics count by its current rows' share of its
    chunks."""
    terms = np.unique(np.concatenate([segment.terms for segment in segments]))
    df, which, holder, places = np.zeros(len(terms)), [], [], []
    before = 0
    for segment, good in zip(segments, alive, strict=True):
        at = np.searchsorted(terms, segment.terms)
        chunks = segment.rows["chunks"].astype(float)
        df[at] += segment.df * (float(chunks[good].sum()) / max(float(chunks.sum()), 1.0))
        number = before + np.cumsum(good) - 1
        keep = good[segment.holder]
        which.append(np.repeat(at, segment.start[1:] - segment.start[:-1])[keep])
        holder.append(number[segment.holder[keep]])
        places.append(segment.places[keep])
        before += int(good.sum())
    return _inverted(
        np.concatenate([segment.rows[good] for segment, good in zip(segments, alive, strict=True)]),
        np.concatenate([segment.codes[good] for segment, good in zip(segments, alive, strict=True)]),
        terms,
        df,
        np.concatenate(which),
        np.concatenate(holder),
        np.concatenate(places),
    )


def _inverted(
    rows: npt.NDArray[np.void],
    codes: npt.NDArray[np.uint8],
    terms: npt.NDArray[np.uint32],
    df: npt.NDArray[np.float64],
    which: npt.NDArray[np.intp],
    holder: npt.NDArray[np.intp],
    places: npt.NDArray[np.uint64],
) -> Segment:
    order = np.argsort(which, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=len(terms)))])
    return Segment(
        rows=rows,
        codes=codes,
        terms=terms.astype(np.uint32),
        df=df.astype(np.float32),
        start=start.astype(np.uint32),
        holder=holder[order].astype(np.uint16),
        places=places[order].astype(PLACES),
    )


def _padded(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    return np.concatenate([values, np.zeros(GROUPS - len(values), values.dtype)])


def _most(telling: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    if len(telling) <= TERMS:
        return np.ones(len(telling), bool)
    keep = np.zeros(len(telling), bool)
    keep[np.argpartition(-telling, TERMS)[:TERMS]] = True
    return keep


TYPES = {
    "rows": ROW,
    "codes": np.dtype("u1"),
    "terms": np.dtype("<u4"),
    "df": np.dtype("<f4"),
    "start": np.dtype("<u4"),
    "holder": np.dtype("<u2"),
    "places": PLACES,
}


def write_segment(path: Path, segment: Segment) -> None:
    """Write a segment as a safetensors file, whole or not at all. Rows are written as their bytes."""
    arrays = segment._asdict() | {"rows": segment.rows.view(np.uint8).reshape(len(segment.rows), ROW.itemsize)}
    write_atomically(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def read_segment(path: Path) -> Segment:
    """Map a segment into memory; its arrays are read from disk when they are used.

    Raises CodecError for a file that is not a valid segment.
    """
    try:
        mapped = np.memmap(path, np.uint8, "r")
        first = 8 + int.from_bytes(mapped[:8].tobytes(), "little")  # the header's length, and the header
        header = json.loads(mapped[8:first].tobytes())
        arrays = {}
        for name, kind in TYPES.items():
            begin, end = header[name]["data_offsets"]
            shape = header[name]["shape"][:1] if name == "rows" else header[name]["shape"]
            arrays[name] = np.asarray(mapped[first + begin : first + end]).view(kind).reshape(shape)
        return Segment(**arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CodecError(f"{path} is not a valid segment of the summary store: {error}.") from error
