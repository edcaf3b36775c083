"""Text to vectors: `load_embedder` opens a model, `Embedder` is what it gives."""

from .base import AGREEMENT, Embedder, Part, PartEmbedder, Progress, Vectors
from .load import is_bulk, load_embedder, load_embedder_for
from .models import find_model, load_tokenizer, read_space

__all__ = [
    "AGREEMENT",
    "Embedder",
    "Part",
    "PartEmbedder",
    "Progress",
    "Vectors",
    "find_model",
    "is_bulk",
    "load_embedder",
    "load_embedder_for",
    "load_tokenizer",
    "read_space",
]
