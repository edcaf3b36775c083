"""Central baselines: a flat FAISS index, and BM25."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.passages import Passage, Question
from knet.embed.base import Vectors
from knet.index.analyser import tokens
from knet.index.lexical import K1, B

Rows = npt.NDArray[np.int64]


def dense_top(vectors: Vectors, asked: Vectors, k: int) -> Rows:
    """Return ``(questions, k)``: rows of the nearest passages by the cosine of float32 vectors, best first."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    rows: Rows = index.search(asked, k)[1]
    return rows


def bm25_top(passages: Sequence[Passage], questions: Sequence[Question], k: int) -> Rows:
    """Return ``(questions, k)``: rows of the passages with the best BM25, best first."""
    index = bm25s.BM25(k1=K1, b=B)
    index.index([tokens(passage.text) for passage in passages], show_progress=False)
    rows = []
    for question in questions:
        known = [term for term in dict.fromkeys(tokens(question.text)) if term in index.vocab_dict]
        scores = index.get_scores(known) if known else np.zeros(len(passages))
        rows.append(np.argsort(-scores, kind="stable")[:k])
    return np.stack(rows)
