"""Model of a shard: at every step of a docid, one softmax over the next codes, with logits from two heads.

    logit(edge) = rows[edge] . h(vector) + bias[edge] + sum of lexical[feature, edge] over the question's features

The sum of the heads' logits is a product of experts, normalised at each step. Every softmax has one more outcome,
*null*: at the root it means that the question is foreign, further down that its document is not under this prefix. A
shard or branch without the document thus gives its probability mass to null instead of its own documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .docids import Rows, Trie, Vectors
from .features import Hashes

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lexical:
    """Lexical head: a sparse matrix of weights by feature and edge, and dense columns for null.

    ``terms`` is sorted ``(features,)``; the entries of feature f are ``edges[starts[f]:starts[f + 1]]`` and ``weights``
    there. ``null`` is ``(features, levels)``; ``unknown`` ``(levels,)`` is null's weight for each feature of a question
    that is not in ``terms``.
    """

    terms: Hashes
    starts: Rows
    edges: npt.NDArray[np.int32]
    weights: Floats
    null: Floats
    unknown: Floats

    @classmethod
    def build(cls, terms: Hashes, feature: Rows, edge: Rows, weights: Floats, null: Floats, unknown: Floats) -> Lexical:
        """Return the head with entries in any order; ``feature`` holds their rows in ``terms``."""
        order = np.lexsort((edge, feature))
        return cls(
            terms=terms,
            starts=np.searchsorted(feature[order], np.arange(len(terms) + 1)).astype(np.int64),
            edges=edge[order].astype(np.int32),
            weights=weights[order],
            null=null,
            unknown=unknown,
        )

    @property
    def entry_features(self) -> Rows:
        """Row in ``terms`` of each entry."""
        return np.repeat(np.arange(len(self.terms)), np.diff(self.starts))

    def find(self, hashes: Hashes) -> Rows:
        """Return the rows of the known features."""
        if not len(self.terms):
            return np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(self.terms, hashes), len(self.terms) - 1)
        found: Rows = at[self.terms[at] == hashes]
        return found

    def entries(self, rows: Rows) -> Rows:
        """Return the entries of some features, in order."""
        counts = self.starts[rows + 1] - self.starts[rows]
        first = np.repeat(self.starts[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        found: Rows = first + np.arange(counts.sum())
        return found


@dataclass(frozen=True, eq=False)
class Model:
    """Model of one shard; ``ids`` are those of the documents in the order of the trie.

    ``rows`` is ``(edges + levels, dimension)`` and ``bias`` ``(edges + levels,)``, the nulls of the levels last;
    ``down`` ``(rank, dimension)``, ``shift`` ``(rank,)`` and ``up`` ``(dimension, rank)`` make
    h(q) = q + up . relu(down . q + shift).
    """

    ids: tuple[str, ...]
    trie: Trie
    rows: Floats
    bias: Floats
    down: Floats
    shift: Floats
    up: Floats
    lexical: Lexical

    @property
    def dimension(self) -> int:
        return int(self.rows.shape[1])

    @cached_property
    def places(self) -> dict[str, int]:
        """Position of each id in the order of the trie."""
        return {name: place for place, name in enumerate(self.ids)}

    def hidden(self, vector: Vectors) -> Floats:
        """Return ``(dimension,)``: the input of the dense head's dot products with ``rows``."""
        hidden: Floats = vector + self.up @ np.maximum(self.down @ vector + self.shift, 0)
        return hidden

    def lexical_logits(self, hashes: Hashes) -> Floats:
        """Return ``(edges + levels,)``: the lexical head's logits of every edge and null, with their biases."""
        lexical, edges = self.lexical, self.trie.edges
        rows = lexical.find(hashes)
        entries = lexical.entries(rows)
        logits = np.bincount(lexical.edges[entries], lexical.weights[entries], edges + self.trie.levels)
        logits[edges:] = lexical.null[rows].sum(axis=0) + lexical.unknown * (len(hashes) - len(rows))
        found: Floats = logits.astype(np.float32) + self.bias
        return found
