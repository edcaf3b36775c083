"""Merging: verified hits of all nodes in one ranking, by scores the client computed itself.

Cosines of one space are comparable as they are. BM25 is computed here from the verified text with network-wide term
statistics. The two are fused as z-scores over the candidates; per-node normalisation is never used, since it destroys
the ranking (docs/papers.md). Reliability is a gate: it decides among passages that compete on relevance, and cannot
lift an irrelevant one.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..codec import Cid
from ..index.lexical import Statistics, tokens
from ..index.shard import Vectors, load_vector
from ..records import Record, Reputation
from .verify import Checked

RETRIEVERS = ("dense", "bm25")
SAME_SOURCE_COSINE = 0.93  # two passages of one node this close say the same thing; copies must not amplify it
GATE = 1.0  # z-score units below the best within which passages compete
RELIABILITY_WEIGHT = 3.0  # z-score units between reliability 0 and 1

Scores = npt.NDArray[np.float64]


class Ranked(Record, frozen=True):
    """One merged passage: its checked hit, its scores, and the other nodes that hold the same text."""

    checked: Checked
    score: float
    scores: dict[str, float]
    sources: list[int]


def merge(
    question: str,
    hits: Sequence[Checked],
    spaces: Mapping[int, Cid],
    statistics: Statistics,
    reputations: Mapping[int, Reputation],
    *,
    k: int,
    retrievers: Names[str] = RETRIEVERS,
    collapse: bool = True,
) -> list[Ranked]:
    """The best ``k`` passages. ``spaces`` names each node's space; ``retrievers`` which scores count."""
    if not hits:
        return []
    raw = {
        "dense": np.array([hit.cosine for hit in hits]),
        "bm25": _bm25(question, hits, statistics),
    }
    columns = [
        _calibrated(raw["dense"], [spaces[hit.node] for hit in hits]) if name == "dense" else _z(raw[name])
        for name in RETRIEVERS
        if name in retrievers
    ]
    relevance: Scores = np.mean(columns, axis=0)
    final = _gate(relevance, np.array([reputations.get(hit.node, Reputation()).mean for hit in hits]))
    order = sorted(range(len(hits)), key=lambda i: (-final[i], -raw["dense"][i], _tie(hits[i])))
    ranked = [
        Ranked(
            checked=hits[i],
            score=float(final[i]),
            scores={"dense": round(float(raw["dense"][i]), 6), "bm25": round(float(raw["bm25"][i]), 4)},
            sources=[],
        )
        for i in order
    ]
    return (_collapse(ranked) if collapse else ranked)[:k]


def _tie(hit: Checked) -> tuple[bytes, int, int]:
    """A total order that does not depend on which node answered first."""
    return hit.document_cid.raw, hit.hit.start, hit.node


def _bm25(question: str, hits: Sequence[Checked], statistics: Statistics) -> Scores:
    words = tokens(question)
    return np.array([statistics.bm25(words, hit.hit.text) for hit in hits])


def _z(values: Scores) -> Scores:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)


def _calibrated(cosines: Scores, spaces: Sequence[Cid]) -> Scores:
    """z-scores within each space: raw cosines of two spaces are never compared."""
    result = np.zeros_like(cosines)
    for space in set(spaces):
        mask = np.array([s == space for s in spaces])
        result[mask] = _z(cosines[mask])
    return result


def _gate(relevance: Scores, reliability: Scores) -> Scores:
    """Shift by reliability, as far as a passage competes: fully at the best, not at all ``GATE`` below it or lower."""
    competes = np.clip(1 - (relevance.max() - relevance) / GATE, 0, 1)
    shift = RELIABILITY_WEIGHT * (reliability - 0.5)
    return np.where(shift < 0, relevance + shift, relevance + shift * competes)


def _collapse(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Equal texts become one passage with several sources; a node's near-copies of its own passage are dropped."""
    kept: list[Ranked] = []
    position: dict[tuple[str, ...], int] = {}
    vectors: dict[int, list[Vectors]] = {}
    for item in ranked:
        node, words = item.checked.node, tuple(tokens(item.checked.hit.text))
        if words in position:
            first = kept[position[words]]
            if node != first.checked.node and node not in first.sources:
                kept[position[words]] = Ranked(
                    checked=first.checked, score=first.score, scores=first.scores, sources=[*first.sources, node]
                )
            continue
        vector = load_vector(item.checked.hit.vector)
        own = vectors.setdefault(node, [])
        if any(float(vector @ other) >= SAME_SOURCE_COSINE for other in own if other.shape == vector.shape):
            continue
        own.append(vector)
        position[words] = len(kept)
        kept.append(item)
    return kept
