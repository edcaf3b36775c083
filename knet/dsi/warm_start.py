"""Initial model before training: dense retrieval over the tree in one head, BM25 in the other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..index.analyser import split_words
from ..index.lexical import K1, B
from .docids import Rows, Trie, Vectors
from .features import Hashes, term_features
from .model import Floats, Lexical, Model

SHARPNESS = 16.0  # logit of a cosine of 1 before training
LEXICAL_SCALE = 0.5  # logit of a BM25 score of 1: terms longer than a stem count twice
COMMON = 0.2  # features of more than this share of the passages have no weight ...
RARE = 8  # ... unless they are in at most this many passages
RANK = 64  # of the correction to the question's vector


def initial_model(
    ids: Sequence[str], trie: Trie, vectors: Vectors, texts: Sequence[str], asked: Sequence[tuple[Hashes, int]]
) -> Model:
    """Return the model of a shard's passages; ``ids``, ``vectors`` and ``texts`` are in the order of the trie.

    ``asked`` holds the features of each training question, with its document. Features of a question that are not in
    its passage get entries with weight 0, for training.
    """
    dimension = vectors.shape[1]
    rows = np.concatenate([_means(trie, vectors), np.zeros((trie.levels, dimension), np.float32)])
    rng = np.random.default_rng(len(ids))
    return Model(
        ids=tuple(ids),
        trie=trie,
        rows=rows,
        bias=np.zeros(len(rows), np.float32),
        down=(rng.standard_normal((RANK, dimension)) / math.sqrt(dimension)).astype(np.float32),
        shift=np.zeros(RANK, np.float32),
        up=np.zeros((dimension, RANK), np.float32),
        lexical=_lexical(trie, texts, asked),
    )


def _means(trie: Trie, vectors: Vectors) -> Floats:
    """Return ``(edges, dimension)``: the mean direction of the passages under each edge, times `SHARPNESS`."""
    sums = np.zeros((trie.edges, vectors.shape[1]), np.float32)
    for level in range(trie.levels):
        np.add.at(sums, trie.paths[:, level], vectors)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means: Floats = np.float32(SHARPNESS) * sums / np.maximum(lengths, 1e-6)
    return means


def _lexical(trie: Trie, texts: Sequence[str], asked: Sequence[tuple[Hashes, int]]) -> Lexical:
    df = Counter(feature for text in texts for feature in feature_counts(text))
    weights = passage_weights(trie, np.arange(len(trie)), texts, df, len(texts))
    for hashes, place in asked:
        for feature in hashes.tolist():
            if df[feature] == 0 or not _is_common(df[feature], len(texts)):
                for edge in trie.paths[place].tolist():
                    weights.setdefault((feature, edge), 0.0)
    known = {feature for hashes, _ in asked for feature in hashes.tolist()} | df.keys()
    terms = np.array(sorted(known), np.uint32)
    features, edges = np.array(list(weights), np.int64).reshape(-1, 2).T
    return Lexical.build(
        terms,
        np.searchsorted(terms, features),
        edges,
        np.array(list(weights.values()), np.float32),
        null=np.zeros((len(terms), trie.levels), np.float32),
        unknown=np.zeros(trie.levels, np.float32),
    )


def passage_weights(
    trie: Trie, places: Rows, texts: Sequence[str], df: Mapping[int, int], passages: int
) -> dict[tuple[int, int], float]:
    """Return BM25 by (feature, edge) for some passages; an edge above several passages has the highest of theirs.

    ``df`` is the number of all ``passages`` with a feature; common features have no weight.
    """
    counts = [feature_counts(text) for text in texts]
    average = sum(sum(found.values()) for found in counts) / max(len(counts), 1)
    weights: dict[tuple[int, int], float] = {}
    for place, found in zip(places, counts, strict=True):
        for feature, weight in _bm25(found, df, passages, average):
            for edge in trie.paths[place].tolist():
                weights[feature, edge] = max(weights.get((feature, edge), 0.0), weight)
    return weights


def feature_counts(text: str) -> Counter[int]:
    """Count the occurrences of each feature in a passage."""
    counts: Counter[int] = Counter()
    for term, times in Counter(split_words(text)).items():
        for feature in term_features(term):
            counts[feature] += times
    return counts


def _bm25(counts: Counter[int], df: Mapping[int, int], passages: int, average: float) -> Iterator[tuple[int, float]]:
    norm = K1 * (1 - B + B * sum(counts.values()) / max(average, 1.0))
    for feature, count in counts.items():
        holders = df.get(feature, 1)
        if holders and not _is_common(holders, passages):
            idf = math.log1p((passages - holders + 0.5) / (holders + 0.5))
            yield feature, LEXICAL_SCALE * idf * count * (K1 + 1) / (count + norm)


def _is_common(df: int, passages: int) -> bool:
    return df > max(RARE, COMMON * passages)
