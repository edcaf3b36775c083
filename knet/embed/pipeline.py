"""Shared pipeline of all backends: tokenise, sort by length, batch, run, normalise, restore the order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from ..records import Space
from .base import Part, Progress, Vectors
from .models import load_tokenizer

Tokens = npt.NDArray[np.int64]

WINDOW = 8192  # texts tokenised and sorted together: bounds memory, with little padding


class BatchedEmbedder(ABC):
    """`Embedder` over a backend that runs one padded batch at a time."""

    def __init__(self, folder: Path, space: Space, *, batch_tokens: int) -> None:
        """Load the tokenizer. ``batch_tokens`` bounds the padded size of a batch, which determines time and memory."""
        self._space = space
        self._batch_tokens = batch_tokens
        self._tokenizer = load_tokenizer(folder, space.max_tokens)

    @property
    def space(self) -> Space:
        return self._space

    @abstractmethod
    def _tokens(self, ids: Tokens, mask: Tokens) -> Vectors:
        """Return token vectors ``(batch, length, dimension)`` for token ids and attention mask, ``(batch, length)``
        each."""

    def _run(self, ids: Tokens, mask: Tokens) -> Vectors:
        """Return pooled vectors ``(batch, dimension)``, not normalised."""
        return pool(self._tokens(ids, mask), mask, self._space.pooling)

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        prefix = self._space.query_prefix if query else self._space.passage_prefix
        vectors = np.empty((len(texts), self._space.dimension), np.float32)
        for rows, _, ids, mask in self._batches(texts, prefix, self._tokenizer.encode_batch_fast):
            vectors[rows] = normalize(self._run(ids, mask))
            if progress:
                progress(len(rows))
        return vectors

    def encode_parts(self, texts: Sequence[str], parts: Sequence[Sequence[Part]]) -> tuple[Vectors, list[Vectors]]:
        prefix = self._space.passage_prefix
        vectors = np.empty((len(texts), self._space.dimension), np.float32)
        found: list[Vectors] = [vectors[:0]] * len(texts)
        for rows, encodings, ids, mask in self._batches(texts, prefix, self._tokenizer.encode_batch):
            hidden = self._tokens(ids, mask)
            vectors[rows] = normalize(pool(hidden, mask, self._space.pooling))
            for row, encoding, tokens in zip(rows.tolist(), encodings, hidden, strict=True):
                offsets = np.array(encoding.offsets) - len(prefix)
                found[row] = pool_parts(tokens[: len(offsets)], offsets, parts[row])
        return vectors, found

    def _batches(
        self, texts: Sequence[str], prefix: str, tokenize: Callable[[list[str]], list[Encoding]]
    ) -> Iterator[tuple[npt.NDArray[np.intp], list[Encoding], Tokens, Tokens]]:
        """Yield rows of ``texts`` in batches, with their encodings, padded token ids and attention mask."""
        for first in range(0, len(texts), WINDOW):
            window = tokenize([prefix + text for text in texts[first : first + WINDOW]])
            ids = [encoding.ids for encoding in window]
            for rows in batches([len(row) for row in ids], self._batch_tokens):
                yield first + rows, [window[row] for row in rows], *pad([ids[row] for row in rows])


def pool_parts(tokens: Vectors, offsets: Tokens, parts: Sequence[Part]) -> Vectors:
    """Return ``(len(parts), dimension)``: the mean of the token vectors ``(length, dimension)`` in each part, unit
    length.

    ``offsets`` is ``(length, 2)``: start and end of each token, equal for the model's special tokens. A part without a
    token (the text was truncated before it) has the vector 0.
    """
    sums = np.concatenate([np.zeros_like(tokens[:1]), np.cumsum(tokens, 0)])
    words = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    bounds = np.array(parts, np.int64).reshape(-1, 2)
    begin = np.searchsorted(offsets[words, 1], bounds[:, 0], "right")
    end = np.maximum(np.searchsorted(offsets[words, 0], bounds[:, 1], "left"), begin)
    places = np.append(words, words[-1] + 1 if len(words) else 0)
    return normalize(sums[places[end]] - sums[places[begin]])


def batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield row numbers in batches of similar length, longest first, each of at most ``batch_tokens`` padded tokens."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tokens, Tokens]:
    """Return token ids and attention mask, ``(len(rows), longest)`` each. The mask hides the padding, whose id is 0."""
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def pool(hidden: Vectors, mask: Tokens, pooling: str) -> Vectors:
    """Return one vector for each text from its token vectors ``(batch, length, dimension)``: the first, or the mean."""
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.astype(np.float32)
    summed: Vectors = np.einsum("bld,bl->bd", hidden, weights)
    summed /= weights.sum(1, keepdims=True)
    return summed


def normalize(vectors: Vectors) -> Vectors:
    """Return the rows scaled to unit length."""
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
