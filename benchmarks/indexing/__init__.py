"""Embedding speed of a node against sentence-transformers, and the cost of syncs."""
