"""Sources of a node's documents: one file for each kind."""

from .base import Item, Source, Text, parse_source, source_kinds

__all__ = ["Item", "Source", "Text", "parse_source", "source_kinds"]
