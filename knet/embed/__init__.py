"""Embedding of text: `load_embedder` opens a model and returns an `Embedder`."""

from .base import MIN_BACKEND_COSINE, Embedder, Part, PartEmbedder, Progress, Vectors
from .load import Backend, backend_of, is_bulk, load_embedder, load_embedder_for, open_backend
from .models import find_model, load_tokenizer, read_space

__all__ = [
    "MIN_BACKEND_COSINE",
    "Backend",
    "Embedder",
    "Part",
    "PartEmbedder",
    "Progress",
    "Vectors",
    "backend_of",
    "find_model",
    "is_bulk",
    "load_embedder",
    "load_embedder_for",
    "load_tokenizer",
    "open_backend",
    "read_space",
]
