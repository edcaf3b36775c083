"""The protocol of an embedder: text in, vectors of one space out.

Every backend of one space (ONNX Runtime or torch, float32 or bfloat16, CPU or GPU) gives the same vectors up to
`AGREEMENT`; whoever recomputes a score from text allows for that. Coarser arithmetic, such as int8, is another space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..records import Space

AGREEMENT = 0.9995  # least cosine between two backends' vectors of one text: bfloat16 reaches 0.9999 on MiniLM

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int], None]  # called with the number of texts done since the last call


class Embedder(Protocol):
    """Turns text into unit vectors. Two embedders with equal ``space`` give vectors that may be compared."""

    @property
    def space(self) -> Space: ...

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        """``(len(texts), space.dimension)`` float32, unit length, in the order of ``texts``. Thread-safe."""
        ...
