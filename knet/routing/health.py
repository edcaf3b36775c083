"""Whether the nodes of a network answer now, and what they say of themselves: one short look at each, all at once."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping

from ..errors import AddressRefused, BadReply, KnetError, TooLarge
from ..http import HttpClient
from ..records import Record
from .node_view import NodeView

DEADLINE_SECONDS = 2.0  # what an answer waits for a node at most: one that needs longer is of no use to a question
MAX_WORD = 1 << 10  # bytes of "serving bafy..."
MAX_METRICS = 256 << 10  # bytes; a node's own come to about 6 KiB
_SEARCHES = re.compile(rb'^knet_node_searches_total\{outcome="ok"\} ([0-9.e+]{1,24})\s*$', re.M)
_DOWN = "Its owner has to start it again. Questions go on without it; private ones still find what is kept elsewhere."
_REFUSED = "Its owner has to announce an address that can be reached from here (`endpoint` in its node.json)."
_ODD = "Something else answers at its address. Its owner has to look at what runs there."
_EMPTY = "It runs and has nothing to serve yet. Look again in a minute."
_BEHIND = "It serves an older version until it has read its newest publication, within seconds unless it hangs."
_UNUSABLE = "It is left out of questions until its publication can be read; its owner can publish again."


class NodeHealth(Record, frozen=True):
    """One node as it is now: ``state`` is up | behind (serves no head of the chain) | down | unusable.

    ``published`` is the time of its head on chain (unix seconds, 0 unknown). ``searches`` is how many it says it has
    served since it was started, None where it does not say. ``advice`` is what to do about ``problem``.
    """

    node: int
    title: str
    state: str
    milliseconds: float = 0.0
    sequence: int = 0
    published: int = 0
    searches: int | None = None
    problem: str = ""
    advice: str = ""


async def look_at(
    http: HttpClient,
    views: Mapping[int, NodeView],
    unusable: Mapping[int, str],
    deadline: float = DEADLINE_SECONDS,
) -> list[NodeHealth]:
    """The health of every node, by id; ``unusable`` are those whose publication cannot be read, with the reason.

    Takes up to twice ``deadline`` (seconds a request). Never raises for a node's failings.
    """
    looked = await asyncio.gather(*(_look(http, view, deadline) for view in views.values()))
    left_out = [
        NodeHealth(node=node, title="", state="unusable", problem=reason, advice=_UNUSABLE)
        for node, reason in unusable.items()
    ]
    return sorted([*looked, *left_out], key=lambda one: one.node)


async def _look(http: HttpClient, view: NodeView, deadline: float) -> NodeHealth:
    started = time.perf_counter()
    base = view.entry.endpoint.rstrip("/")
    state, searches, problem, advice = "up", None, "", ""
    try:
        word = await http.fetch("GET", f"{base}/readyz", deadline=deadline, max_bytes=MAX_WORD)
        searches = await _searches(http, base, deadline)
        if not _serves_head(view, word):
            state, problem, advice = "behind", "It does not serve what it published last.", _BEHIND
    except KnetError as error:
        state, problem, advice = "down", str(error), _advice(error)
    head = view.entry.head
    return NodeHealth(
        node=view.entry.node,
        title=view.card.title,
        state=state,
        milliseconds=1000 * (time.perf_counter() - started),
        sequence=view.manifest.sequence,
        published=head.time if head else 0,
        searches=searches,
        problem=problem,
        advice=advice,
    )


def _serves_head(view: NodeView, word: bytes) -> bool:
    """Whether the manifest that a node names is one that its replies may speak for. Others than ours need name none."""
    named = re.search(r"\bb[a-z2-7]{20,}\b", word.decode(errors="replace"))
    heads = [view.entry.head.manifest] if view.entry.head else []
    return named is None or named[0] in map(str, [*heads, *view.earlier])


async def _searches(http: HttpClient, base: str, deadline: float) -> int | None:
    """What a node counts of itself; None where it keeps that to itself."""
    try:
        metrics = await http.fetch("GET", f"{base}/metrics", deadline=deadline, max_bytes=MAX_METRICS)
    except KnetError:
        return None
    found = _SEARCHES.search(metrics)
    try:
        return int(float(found[1])) if found else 0
    except (ValueError, OverflowError):
        return None


def _advice(error: KnetError) -> str:
    if isinstance(error, AddressRefused):
        return _REFUSED
    if isinstance(error, BadReply):
        return _EMPTY if error.status == 503 else _ODD
    return _ODD if isinstance(error, TooLarge) else _DOWN
