"""Hypothesis without its per-example deadline, which a busy machine misses."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("knet", deadline=None, max_examples=60)
settings.load_profile("knet")
