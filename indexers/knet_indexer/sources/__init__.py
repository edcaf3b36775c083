"""Where a node's documents come from: one file a kind of source."""

from .base import Item, Source, Text, source_kinds, parse_source

__all__ = ["Item", "Source", "Text", "source_kinds", "parse_source"]
