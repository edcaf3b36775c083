"""How a question is asked: limits, defaults and who hears of it. Light, for those who ask through another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..records import NodeStatus

PASSAGES = 8
MAX_K = 64  # passages; nodes give no more than 100
MAX_QUESTION = 4096  # characters; nodes refuse longer ones too
DEADLINE_SECONDS = 2.0  # a node that needs longer is reported as a time-out; the answer does not wait for it

OnStatus = Callable[[NodeStatus], None]
OnAsking = Callable[[Sequence[NodeStatus]], None]
