"""Merging: verified hits of all nodes in one ranking, by scores the client computed itself.

Cosines of one space are comparable as they are. BM25 is computed here from the verified text with network-wide term
statistics. The two are fused as z-scores over the candidates; per-node normalisation is never used, since it destroys
the ranking (docs/papers.md). Reliability is a gate (`knet.trust.reliability.gated`): it decides among passages that
compete on relevance, and cannot lift an irrelevant one. Where nodes hold different versions of one text, the version
that reliable nodes back wins, and what it contradicts sinks. Nodes that nobody rated are ranked by relevance alone.
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
from ..trust.agreement import contested, outvoted
from ..trust.reliability import gated, hope, passage_key, weight
from .verify import Checked

RETRIEVERS = ("dense", "bm25")
SAME_SOURCE_COSINE = 0.93  # two passages of one node this close say the same thing; copies must not amplify it
CONTEST = 6.0  # z-score units below which a version sinks that better backed ones contradict: under all that competes

ANSWERS = 0.4  # a passage that covers this share of what the best covers of the question may answer it too
NO_VERDICTS: Mapping[bytes, Reputation] = {}

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
    verdicts: Mapping[bytes, Reputation] = NO_VERDICTS,
) -> list[Ranked]:
    """The best ``k`` passages. ``spaces`` names each node's space; ``retrievers`` which scores count; ``verdicts`` are
    one's own on single passages, by `knet.trust.reliability.passage_key`."""
    if not hits:
        return []
    dense = np.array([hit.cosine for hit in hits])
    bm25 = _bm25(question, hits, statistics)
    columns = {"dense": _calibrated(dense, [spaces[hit.node] for hit in hits]), "bm25": _z(bm25)}
    relevance: Scores = np.mean([columns[name] for name in RETRIEVERS if name in retrievers], axis=0)
    known = [reputations.get(hit.node, Reputation()) for hit in hits]
    own = [verdicts.get(passage_key(hit.words), Reputation()) if verdicts else Reputation() for hit in hits]
    final = gated(relevance, np.array([hope(*pair) for pair in zip(known, own, strict=True)]))
    final -= CONTEST * _doubt(question, hits, known, relevance, statistics)
    keys = list(zip((-final).tolist(), (-dense).tolist(), map(_tie, hits), strict=True))
    order = sorted(range(len(hits)), key=keys.__getitem__)
    chosen = _collapse(order, hits, k) if collapse else {i: [] for i in order[:k]}
    return [
        Ranked(
            checked=hits[i],
            score=float(final[i]),
            scores={"dense": round(float(dense[i]), 6), "bm25": round(float(bm25[i]), 4)},
            sources=sources,
        )
        for i, sources in chosen.items()
    ]


def _tie(hit: Checked) -> tuple[bytes, int, int]:
    """A total order that does not depend on which node answered first."""
    return hit.document_cid.raw, hit.hit.start, hit.node


def _bm25(question: str, hits: Sequence[Checked], statistics: Statistics) -> Scores:
    weights = {term: statistics.idf(term) for term in tokens(question)}
    return np.array([statistics.score(weights, hit.words) for hit in hits])


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


def _doubt(
    question: str,
    hits: Sequence[Checked],
    known: Sequence[Reputation],
    relevance: Scores,
    statistics: Statistics,
) -> Scores:
    """0..1: how surely reliable nodes say otherwise. All 0 where no node is known to be reliable."""
    nodes = [hit.node for hit in hits]
    weights = {node: weight(each) for node, each in zip(nodes, known, strict=True)}
    if not any(weights.values()):
        return np.zeros(len(hits))
    asked = {term: statistics.idf(term) for term in tokens(question)}
    texts = [frozenset(hit.words) for hit in hits]
    covered = np.array([sum(idf for term, idf in asked.items() if term in text) for text in texts])
    answers = covered >= ANSWERS * covered.max()
    return np.maximum(
        contested(frozenset(asked), texts, nodes, weights), outvoted(relevance, answers, texts, nodes, weights)
    )


def _collapse(order: Sequence[int], hits: Sequence[Checked], k: int) -> dict[int, list[int]]:
    """The best ``k`` of an order, each with the other nodes that hold the same words.

    Equal texts become one passage with several sources; a node's near-copies of its own passage are dropped.
    """
    chosen: dict[int, list[int]] = {}
    vectors: dict[int, list[Vectors]] = {}
    for i in order:
        node = hits[i].node
        same = next((j for j in chosen if hits[j].words == hits[i].words), None)
        if same is not None:
            if node != hits[same].node and node not in chosen[same]:
                chosen[same].append(node)
        elif len(chosen) < k:
            vector, own = load_vector(hits[i].hit.vector), vectors.setdefault(node, [])
            if not any(v.shape == vector.shape and float(v @ vector) >= SAME_SOURCE_COSINE for v in own):
                own.append(vector)
                chosen[i] = []
    return chosen
