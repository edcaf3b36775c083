"""Reranking of the best candidates, by columns that cost too much to compute for all of them.

Both are computed here, from texts that were proven to be published, so that nothing a node claims is ranked by
(docs/decisions/0030-client-computes-sentence-vectors.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..codec import Cid
from ..embed.base import Embedder, PartEmbedder
from ..errors import ConfigError
from ..index.sentences import sentences
from ..index.shard import Vectors
from ..records import Space
from ..routing.node_view import NodeView
from .fusion import Scores
from .merge import FeatureColumn
from .verify_reply import VerifiedHit

Reranker = Callable[[str, Sequence[str]], Sequence[float]]  # a question and texts in, how well each answers it out


def rerank_columns(
    views: Mapping[int, NodeView],
    vectors: Mapping[Cid, Vectors],
    embedder_for: Callable[[Space], Embedder] | None,
    reranker: Reranker | None,
) -> dict[str, FeatureColumn]:
    """Return the rerank columns: ``sentence`` with an ``embedder_for`` spaces, ``rerank`` with a reranker."""
    columns: dict[str, FeatureColumn] = {}
    if embedder_for is not None:
        embedders = embedder_for
        columns["sentence"] = lambda _, hits: _best_sentences(hits, views, vectors, embedders)
    if reranker is not None:
        columns["rerank"] = _by(reranker)
    return columns


def _best_sentences(
    hits: Sequence[VerifiedHit],
    views: Mapping[int, NodeView],
    vectors: Mapping[Cid, Vectors],
    embedder_for: Callable[[Space], Embedder],
) -> Scores:
    """Return ``(n,)`` the cosine of the question and each passage's best sentence, or the passage if it is closer."""
    scores = np.full(len(hits), np.nan)
    for space in {views[hit.node].card.space for hit in hits}:
        rows = [row for row, hit in enumerate(hits) if views[hit.node].card.space == space]
        embedder = embedder_for(views[hits[rows[0]].node].space)
        if isinstance(embedder, PartEmbedder):
            texts = [hits[row].hit.text for row in rows]
            whole, parts = embedder.encode_parts(texts, [sentences(text) for text in texts])
            for row, vector, own in zip(rows, whole, parts, strict=True):
                scores[row] = float((np.vstack([own, vector]) @ vectors[space]).max())
    return scores


def _by(reranker: Reranker) -> FeatureColumn:
    def column(question: str, hits: Sequence[VerifiedHit]) -> Scores:
        scores = np.array(reranker(question, [hit.hit.text for hit in hits]), float)
        if scores.shape != (len(hits),) or not np.isfinite(scores).all():
            raise ConfigError(f"The reranker gave {scores.shape} numbers for {len(hits)} texts, or some that are none.")
        return scores

    return column
