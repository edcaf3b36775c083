"""Synthetic library of any size: documents of ten passages about topics, and vectors distributed like embeddings.

Everything follows from the seed and a passage's number, which is its first word, so that nothing has to be stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knet.embed.base import Progress, Vectors
from knet.index.sentences import Span
from knet.records import Space

SPACE = Space(model="benchmark", weights=bytes(32), dimension=384)
SEED = 6
PASSAGES = 10  # a document
PER_TOPIC = 500  # passages of about the same subject
WORDS = 60  # a passage
VOCABULARY = 200_000
COMMON = 0.5  # of the words are of the language; the others are the topic's
TOPIC_WORDS = 300
SHARES = (0.6, 0.4, 0.7)  # of a vector: its topic, its document, itself
BLUR = 0.8  # length of what a question's vector differs by from its passage's
FOLDER = 1000  # documents in one folder
_NUMBER = re.compile(r"p(\d+)")


class Library:
    """Corpus of ``passages`` passages, with vectors of them and of questions about them."""

    def __init__(self, passages: int) -> None:
        self.passages = passages
        self.space = SPACE

    @cached_property
    def _topics(self) -> Vectors:
        rng = np.random.default_rng((SEED, 1))
        return _unit(rng.standard_normal((max(1, self.passages // PER_TOPIC), SPACE.dimension)) * _spectrum())

    def vectors(self, numbers: Sequence[int]) -> Vectors:
        """Return ``(n, dimension)`` float32 of unit length."""
        own = np.stack([_noise(number // PASSAGES)[1 + number % PASSAGES] for number in numbers])
        documents = np.stack([_noise(number // PASSAGES)[0] for number in numbers])
        topics = self._topics[[_topic(number // PASSAGES, len(self._topics)) for number in numbers]]
        return _unit(SHARES[0] * topics + SHARES[1] * documents + SHARES[2] * own)

    def question(self, number: int) -> tuple[str, Vectors]:
        """Return eight words of a passage, and a vector near its own."""
        rng = np.random.default_rng((SEED, 4, number))
        words = self.text(number).split()[1:]
        asked = " ".join(words[at] for at in sorted(rng.choice(len(words), 8, replace=False)))
        blur = _unit((rng.standard_normal(SPACE.dimension) * _spectrum())[None])[0]
        return asked, _unit((self.vectors([number])[0] + BLUR * blur)[None])[0]

    def text(self, number: int) -> str:
        """Return a passage: its number, then common words and words of its topic, by a Zipf-like distribution."""
        words = _words(number // PASSAGES, len(self._topics))[number % PASSAGES]
        return f"p{number} " + " ".join(f"w{word:x}" for word in words)

    def write(self, folder: Path) -> None:
        """Write the documents as files, one paragraph per passage."""
        for document in range(-(-self.passages // PASSAGES)):
            within = folder / f"{document // FOLDER:04}"
            if document % FOLDER == 0:
                within.mkdir(parents=True)
            first = document * PASSAGES
            texts = [self.text(number) for number in range(first, min(first + PASSAGES, self.passages))]
            (within / f"{document}.txt").write_text("\n\n".join(texts), encoding="utf-8")

    # --- as a `knet.embed.Embedder` ----------------------------------------------------------------------------------

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        if progress:
            progress(len(texts))
        found = [_NUMBER.match(text) for text in texts]
        return self.vectors([int(match[1]) if match else 0 for match in found])


def paragraphs(text: str) -> list[Span]:
    """Return the chunks of a text: its passages, separated by empty lines."""
    return [Span(match.start(), match.end()) for match in re.finditer(r"[^\n]+", text)]


@lru_cache(4096)
def _topic(document: int, topics: int) -> int:
    return int(np.random.default_rng((SEED, 6, document)).integers(topics))


@lru_cache(1)
def _spectrum() -> npt.NDArray[np.float64]:
    """Return standard deviations by direction, which fall as a power, as those of embeddings do."""
    return np.arange(1, SPACE.dimension + 1) ** -0.4


@lru_cache(64)
def _words(document: int, topics: int) -> list[list[int]]:
    """Return the words of its passages."""
    rng = np.random.default_rng((SEED, 5, document))
    shape = (PASSAGES, WORDS)
    common = rng.zipf(1.2, shape) % VOCABULARY
    rank = np.minimum(rng.geometric(4 / TOPIC_WORDS, shape), TOPIC_WORDS)
    own = (_topic(document, topics) * 7919 + rank * 104_729) % VOCABULARY
    chosen: list[list[int]] = np.where(rng.random(shape) < COMMON, common, own).tolist()
    return chosen


@lru_cache(64)
def _noise(document: int) -> Vectors:
    """Return unit vectors: the document's direction, and one for each of its passages."""
    rng = np.random.default_rng((SEED, 2, document))
    return _unit(rng.standard_normal((1 + PASSAGES, SPACE.dimension)) * _spectrum())


def _unit(rows: npt.NDArray[np.floating]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
