"""Where a node's documents come from: one file a kind of source."""

from .base import Item, Source, Text, parse_source, source_kinds

__all__ = ["Item", "Source", "Text", "parse_source", "source_kinds"]
