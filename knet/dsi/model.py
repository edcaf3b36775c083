"""A shard's model: at every step of a docid, one softmax over the codes that go on from there, fed by two heads.

    logit(edge) = rows[edge] . h(vector) + bias[edge] + sum of lexical[feature, edge] over the question's features

Adding the heads' logits is a product of experts that is normalised at each step. Every softmax has one more outcome,
*null*: at the root that the question is not this shard's, further down that its document is not under this prefix. So
a shard, or a branch, that knows nothing of a question gives its mass away instead of sharing it out.
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
    """The lexical head: a sparse matrix of weights by feature and edge, and dense columns for null.

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

    def find(self, hashes: Hashes) -> Rows:
        """The rows of the features that are known."""
        if not len(self.terms):
            return np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(self.terms, hashes), len(self.terms) - 1)
        found: Rows = at[self.terms[at] == hashes]
        return found

    def entries(self, rows: Rows) -> Rows:
        """The entries of some features, in order."""
        counts = self.starts[rows + 1] - self.starts[rows]
        first = np.repeat(self.starts[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        found: Rows = first + np.arange(counts.sum())
        return found


@dataclass(frozen=True, eq=False)
class Model:
    """One shard: ``ids`` names document after document in the order of the trie.

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
        """Where each id is in the order of the trie."""
        return {name: place for place, name in enumerate(self.ids)}

    def hidden(self, vector: Vectors) -> Floats:
        """``(dimension,)``: what the dense head compares with rows."""
        hidden: Floats = vector + self.up @ np.maximum(self.down @ vector + self.shift, 0)
        return hidden

    def lexical_logits(self, hashes: Hashes) -> Floats:
        """``(edges + levels,)``: what the lexical head gives every edge and null, with their biases."""
        lexical, edges = self.lexical, self.trie.edges
        rows = lexical.find(hashes)
        entries = lexical.entries(rows)
        logits = np.bincount(lexical.edges[entries], lexical.weights[entries], edges + self.trie.levels)
        logits[edges:] = lexical.null[rows].sum(axis=0) + lexical.unknown * (len(hashes) - len(rows))
        found: Floats = logits.astype(np.float32) + self.bias
        return found
