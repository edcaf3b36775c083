"""Protocols of embedders, which turn text into vectors of one space.

Every backend of one space (ONNX Runtime or torch, float32 or bfloat16, CPU or GPU) gives the same vectors up to
`MIN_BACKEND_COSINE`. A client that recomputes a score from text allows for that difference. Coarser arithmetic, such as
int8, defines another space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..records import Space

MIN_BACKEND_COSINE = (
    0.9995  # lowest cosine between two backends' vectors of one text: bfloat16 reaches 0.9999 on MiniLM
)

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int], None]  # receives the number of texts done since the last call
Part = tuple[int, int]  # code points ``start`` to ``end`` (exclusive) of a text


class Embedder(Protocol):
    """Text embedder with unit vectors. Vectors of two embedders with equal ``space`` are comparable."""

    @property
    def space(self) -> Space: ...

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        """Return ``(len(texts), space.dimension)`` float32 unit vectors in the order of ``texts``. Thread-safe."""
        ...


@runtime_checkable
class PartEmbedder(Embedder, Protocol):
    """Embedder with contextual vectors of a text's parts.

    A part's vector is the mean of its token vectors after the model has read the whole text ("late chunking",
    arXiv 2409.04701). Pronouns are thus resolved, and the parts need no further model run.
    """

    def encode_parts(self, texts: Sequence[str], parts: Sequence[Sequence[Part]]) -> tuple[Vectors, list[Vectors]]:
        """Return the vectors of `encode`, and for each text the unit vectors ``(len(parts), dimension)`` of its parts.

        A part beyond the model's maximum length has the vector 0.
        """
        ...
