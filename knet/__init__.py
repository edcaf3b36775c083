"""A knowledge network without an owner."""

__version__ = "0.1.0"
