"""A short run over every decoder of foreign bytes and every reader of foreign text; `make fuzz` is the long one.

Threat model: node, author of an answer, RPC and document, bytes that crash or stall their reader.
"""

from __future__ import annotations

import pytest

from .running import check, fuzz
from .targets import TARGETS

EXAMPLES, VARIANTS = 20, 4  # inputs of Hypothesis, and further ones after each


@pytest.mark.parametrize("name", TARGETS)
def test_target_raises_only_known_errors_in_bounded_time(name: str) -> None:
    assert fuzz(name, EXAMPLES, VARIANTS, first_seed=1) >= EXAMPLES


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_of_a_target_is_read(name: str) -> None:
    """The seeds are valid, so that mutants of them reach the code behind the first checks."""
    for data in TARGETS[name].seeds():
        check(TARGETS[name], data)
