"""Timer of the stages of one question."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from knet.answer import compose
from knet.client import network
from knet.routing.card_directory import CardDirectory
from knet.search import query_embedding as spaces
from knet.search import session as gather

STAGES = ("embed", "route", "ask", "verify", "merge", "write", "rest")
_PLACES: tuple[tuple[str, Any, str], ...] = (
    ("embed", spaces.QueryEmbedders, "embed"),
    ("route", CardDirectory, "select"),
    ("ask", gather.Collector, "ask"),
    ("verify", gather, "verify_reply"),
    ("merge", network, "merge"),
    ("write", compose, "write"),
    ("compose", network, "compose"),
)


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Measure seconds spent in each stage while the block runs.

    ``ask`` is from the first request to the last reply without ``verify``; ``rest`` is building the answer's records.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for stage, owner, name in _PLACES:
            stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), stage, spent)))
        yield spent
    spent["ask"] -= spent["verify"]
    spent["rest"] = spent["compose"] - spent["write"]


def _timed(function: Callable[..., Any], stage: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[stage] += time.perf_counter() - started

    return timed
