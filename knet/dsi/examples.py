"""Training examples of a shard as arrays, and the settings of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .docids import Rows
from .features import Hashes

FOREIGN = -1  # place of a question whose document is not in this shard


class Settings(NamedTuple):
    """Hyperparameters of a training. Rates are Adam's; ``decay`` pulls weights to their initial values at each step."""

    epochs: int = 5
    batch: int = 128
    dense_rate: float = 0.01
    lexical_rate: float = 0.03
    encoder_rate: float = 1e-3
    dropout: float = 0.3  # of a question's features
    noise: float = 0.02  # standard deviation added to each component of a question's vector
    decay: float = 1e-3
    seed: int = 1


class Examples(NamedTuple):
    """Questions: ``vectors`` ``(n, dimension)`` float16 or float32, ``features`` one array each, ``places`` of their
    documents in the trie (or `FOREIGN`), ``weights`` from 0 to 1.
    """

    vectors: npt.NDArray[np.floating]
    features: list[Hashes]
    places: Rows
    weights: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: Rows, places: Rows) -> Examples:
        """Return the examples of some rows, with other places in the trie."""
        return Examples(self.vectors[rows], [self.features[row] for row in rows], places[rows], self.weights[rows])


def concatenate(parts: Sequence[Examples]) -> Examples:
    """Return several sets of examples as one."""
    return Examples(
        np.concatenate([part.vectors for part in parts]),
        [hashes for part in parts for hashes in part.features],
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
