"""Merging: the verified hits of all nodes in one ranking, by scores that the client computed itself.

Cosines of one space are comparable as they are. BM25 is computed here from the verified text with network-wide term
statistics, like every column of `knet.search.fusion`. The columns are fused as z-scores over the candidates of all
nodes; per-node normalisation is never used, since it destroys the ranking (docs/papers.md). Reliability is a gate
(`knet.trust.reliability.reliability_gate`): it decides among passages that compete on relevance, and cannot lift an
irrelevant one. Where nodes hold different versions of one text, the version that reliable nodes back wins, and
passages that contradict it sink. Nodes without ratings are ranked by relevance alone. A copy with a few added words is
as relevant as what it copies at most, and of equal texts the one that was published first is cited
(`knet.search.copies`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..codec import Cid
from ..index.analyser import split_words, term, tokens
from ..index.lexical import Statistics
from ..index.shard import Vectors, decode_vector
from ..records import Record, Reputation
from ..routing.query import Query, Selection
from ..trust.agreement import conflict_penalty, outlier_penalty
from ..trust.reliability import FLOOR, optimistic_reliability, passage_key, reliability_gate, weight
from .copies import COPIED, copies, is_same
from .fusion import (
    COLUMNS,
    STANDS_FOR,
    WEIGHTS,
    calibrated,
    coverage,
    lexical_columns,
    matched,
    reconciled,
    relevance_of,
    shares,
)
from .verify_reply import VerifiedHit

RANKING = 5  # version of `merge`; raise it with every change to its results
RERANKED = 16  # candidates that costly columns are computed for: twice what is shown by default
SAME_SOURCE_COSINE = 0.93  # two passages of one node this close say the same; copies must not amplify it
ANSWERS = 0.4  # a passage that covers this share of what the best covers of the question may answer it too

Scores = npt.NDArray[np.float64]
FeatureColumn = Callable[[str, Sequence[VerifiedHit]], Scores]  # (question, n candidates) -> (n,); NaN for no value


class Feedback(NamedTuple):
    """A user's own feedback on passages, by `knet.trust.reliability.passage_key`.

    ``ratings`` are those of single passages; ``answered`` holds the questions that a passage was found to answer.
    """

    ratings: Mapping[bytes, Reputation] = {}
    answered: Mapping[bytes, Sequence[str]] = {}


class Features(NamedTuple):
    """Columns beyond those of the text: ``extra`` (De-DSI) for all candidates, ``rerank`` for the best `RERANKED`."""

    extra: Mapping[str, FeatureColumn] = {}
    rerank: Mapping[str, FeatureColumn] = {}


NO_FEEDBACK = Feedback()
NO_FEATURES = Features()


class RankedPassage(Record, frozen=True):
    """One merged passage: its verified hit, every raw score, and what each column adds to ``score`` (they sum to it).

    ``sources`` are the other nodes that hold the same text.
    """

    checked: VerifiedHit
    score: float
    scores: dict[str, float]
    shares: dict[str, float]
    sources: list[int]


def merge(
    query: Query,
    hits: Sequence[VerifiedHit],
    selection: Selection,
    feedback: Feedback = NO_FEEDBACK,
    features: Features = NO_FEATURES,
    weights: Mapping[str, float] = WEIGHTS,
) -> list[RankedPassage]:
    """Return the best ``k`` passages, best first."""
    if not hits:
        return []
    question, statistics = query.question, selection.statistics
    retrievers = COLUMNS if query.options.retrievers is None else query.options.retrievers
    raw = columns_of(question, hits, statistics, feedback.answered)
    raw |= {name: column(question, hits) for name, column in features.extra.items()}
    columns = {name: calibrated(values) for name, values in raw.items() if name in retrievers}
    if "dense" in columns:
        columns["dense"] = _calibrated(raw["dense"], [hit.space for hit in hits])
    if not (feedback.answered and any(passage_key(hit.words) in feedback.answered for hit in hits)):
        # A passage that is known to answer questions is found by their words, which it does not hold itself.
        weights = reconciled(columns, coverage(question, raw["focus"], statistics), weights)
    parts = shares(columns, weights)
    best = np.argsort(-relevance_of(parts), kind="stable")[:RERANKED]
    for name, column in features.rerank.items():
        if name in retrievers:
            raw[name] = np.full(len(hits), np.nan)
            raw[name][best] = column(question, [hits[i] for i in best])
            columns[name] = matched(raw[name], columns.get(STANDS_FOR.get(name, ""), relevance_of(parts)))
    parts = shares(columns, weights)
    known = [selection.reliability.get(hit.node, Reputation()) for hit in hits]
    copied = copies(hits, known)
    relevance, depth = _without_additions(relevance_of(parts), copied)
    if copied:
        parts[COPIED] = relevance - relevance_of(parts)
    asked = frozenset(tokens(question))
    firsts: dict[int, int] = {}  # the original of each copy that says the same
    for copy, original in copied:
        if copy not in firsts and is_same(hits[copy], hits[original], asked):
            firsts[copy] = firsts.get(original, original)
    final = reliability_gate(relevance, _optimistic(hits, known, feedback.ratings))
    texts = [frozenset(hits[firsts.get(i, i)].words) for i in range(len(hits))]
    final -= FLOOR * _doubt(question, texts, [hit.node for hit in hits], known, relevance, statistics)
    parts["trust"] = final - relevance
    keys = list(zip((-final).tolist(), depth, (-raw["dense"]).tolist(), map(_tie, hits), strict=True))
    order = sorted(range(len(hits)), key=keys.__getitem__)
    k = query.options.k
    chosen = _collapse(order, hits, k, asked, firsts) if query.options.collapse else {i: [] for i in order[:k]}
    return [
        RankedPassage(
            checked=hits[i],
            score=float(final[i]),
            scores={name: round(float(values[i]), 6) for name, values in raw.items() if not np.isnan(values[i])},
            shares={
                name: round(float(values[i]), 4) for name, values in parts.items() if name != COPIED or depth[i] > 0
            },
            sources=sources,
        )
        for i, sources in chosen.items()
    ]


def _optimistic(
    hits: Sequence[VerifiedHit], known: Sequence[Reputation], ratings: Mapping[bytes, Reputation]
) -> Scores:
    own = [ratings.get(passage_key(hit.words), Reputation()) if ratings else Reputation() for hit in hits]
    return np.array([optimistic_reliability(*pair) for pair in zip(known, own, strict=True)])


def _without_additions(relevance: Scores, copied: Sequence[tuple[int, int]]) -> tuple[Scores, list[int]]:
    """Return the relevance, in which no copy (i of i, j) is above its original, and how often each text was copied.

    An original has 0, a copy of it 1, a copy of that 2.
    """
    lowered, depth = relevance.copy(), [0] * len(relevance)
    for copy, original in copied:
        lowered[copy] = min(lowered[copy], lowered[original])
        depth[copy] = max(depth[copy], depth[original] + 1)
    return lowered, depth


def columns_of(
    question: str, hits: Sequence[VerifiedHit], statistics: Statistics, answered: Mapping[bytes, Sequence[str]]
) -> dict[str, Scores]:
    """Return the columns that the client computes from every candidate alone, not calibrated, ``(n,)`` each."""
    asked = [_asked_of(hit, answered) for hit in hits] if answered else []
    return {
        "dense": np.array([hit.cosine for hit in hits]),
        **lexical_columns(question, [hit.words for hit in hits], statistics, asked),
    }


def _asked_of(hit: VerifiedHit, answered: Mapping[bytes, Sequence[str]]) -> list[str]:
    return [word for question in answered.get(passage_key(hit.words), ()) for word in split_words(question)]


def _tie(hit: VerifiedHit) -> tuple[bytes, int, int]:
    """Return a total order that does not depend on which node answered first."""
    return hit.document_cid.raw, hit.hit.start, hit.node


def _calibrated(cosines: Scores, spaces: Sequence[Cid]) -> Scores:
    """Return z-scores within each space: raw cosines of two spaces are never compared."""
    result = np.zeros_like(cosines)
    for space in set(spaces):
        mask = np.array([s == space for s in spaces])
        result[mask] = calibrated(cosines[mask])
    return result


def _doubt(
    question: str,
    texts: Sequence[frozenset[str]],
    nodes: Sequence[int],
    known: Sequence[Reputation],
    relevance: Scores,
    statistics: Statistics,
) -> Scores:
    """Return how surely reliable nodes contradict each passage, 0 to 1; all 0 where no node is known to be reliable.

    ``texts`` are the words of the passages; copies have those of their originals, which they support.
    """
    weights = {node: weight(each) for node, each in zip(nodes, known, strict=True)}
    if not any(weights.values()):
        return np.zeros(len(texts))
    asked = {word: statistics.idf(term(word)) for word in split_words(question)}
    covered = np.array([sum(idf for word, idf in asked.items() if word in text) for text in texts])
    answers = covered >= ANSWERS * covered.max()
    return np.maximum(
        conflict_penalty(frozenset(asked), texts, nodes, weights),
        outlier_penalty(relevance, answers, texts, nodes, weights),
    )


def _collapse(
    order: Sequence[int], hits: Sequence[VerifiedHit], k: int, asked: frozenset[str], firsts: Mapping[int, int]
) -> dict[int, list[int]]:
    """Return the best ``k`` of an order, each with the other nodes that hold the same words.

    Texts of which one holds the other become one passage with several sources; a node's near-copies of its own passage
    are dropped. Texts that differ in a word stay apart: that word may be what one of them gets wrong. ``firsts`` holds
    the original of each copy that says the same.
    """
    holders: dict[int, list[int]] = {}
    for i in order:
        holders.setdefault(firsts.get(i, i), []).append(hits[i].node)
    chosen: dict[int, list[int]] = {}
    vectors: dict[int, list[Vectors]] = {}
    for i in order:
        if i in firsts:
            continue
        same = next((j for j in chosen if is_same(hits[j], hits[i], asked)), None)
        if same is not None:
            chosen[same] += holders[i]
        elif len(chosen) < k:
            vector, own = decode_vector(hits[i].hit.vector), vectors.setdefault(hits[i].node, [])
            if not any(v.shape == vector.shape and float(v @ vector) >= SAME_SOURCE_COSINE for v in own):
                own.append(vector)
                chosen[i] = holders[i]
    return {i: [node for node in dict.fromkeys(nodes) if node != hits[i].node] for i, nodes in chosen.items()}
