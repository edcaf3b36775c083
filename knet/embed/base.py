"""The protocol of an embedder: text in, vectors of one space out.

Every backend of one space (ONNX Runtime or torch, float32 or bfloat16, CPU or GPU) gives the same vectors up to
`MIN_BACKEND_COSINE`; whoever recomputes a score from text allows for that. Coarser arithmetic, such as int8, is another
space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..records import Space

MIN_BACKEND_COSINE = 0.9995  # least cosine between two backends' vectors of one text: bfloat16 reaches 0.9999 on MiniLM

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int], None]  # called with the number of texts done since the last call
Part = tuple[int, int]  # code points ``start`` to ``end`` (exclusive) of a text


class Embedder(Protocol):
    """Turns text into unit vectors. Two embedders with equal ``space`` give vectors that may be compared."""

    @property
    def space(self) -> Space: ...

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        """``(len(texts), space.dimension)`` float32, unit length, in the order of ``texts``. Thread-safe."""
        ...


@runtime_checkable
class PartEmbedder(Embedder, Protocol):
    """An embedder that also tells the vectors of a text's parts, read in the light of the whole text.

    Each part's vector is the mean of its token vectors ("late chunking", arXiv 2409.04701): what a pronoun
    stands for has been read already, and the parts cost nothing beyond the text itself.
    """

    def encode_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[Part]], *, progress: Progress | None = None
    ) -> tuple[Vectors, list[Vectors]]:
        """What `encode` gives, and for each text the unit vectors ``(len(parts), dimension)`` of its parts.

        A part beyond what the model reads of a text has the vector 0.
        """
        ...
