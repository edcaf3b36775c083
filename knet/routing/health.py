"""Health of the nodes of a network: one short request to the status route of each, all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Literal

from ..codec import from_json
from ..errors import AddressRefused, BadReply, CodecError, DeadlineExceeded, KnetError, TooLarge, Unreachable
from ..http import HttpClient
from ..records import Record
from .node_view import NodeView
from .origins import Admission, OriginBudget
from .service_status import ServiceStatus

DEADLINE_SECONDS = 2.0  # a question waits no longer for a node, so a slower one is of no use to it
MAX_STATUS = 1 << 10  # bytes; a status has about 200
_DOWN = "Its owner has to start it again. Questions go to the other nodes; private ones use copies kept elsewhere."
_REFUSED = "Its owner has to announce an address that can be reached from here (`endpoint` in its node.json)."
_ODD = "Something else answers at its address. Its owner has to look at what runs there."
_EMPTY = "It runs and has nothing to serve yet. Look again in a minute."
_BEHIND = "It serves an older version until it has read its newest publication, within seconds unless it hangs."
_UNUSABLE = "It is left out of questions until its publication can be read; its owner can publish again."


class NodeHealth(Record, frozen=True):
    """The health of one node now: ``state`` is up | behind (serves no head of the chain) | down | unusable.

    ``published`` is the time of its head on chain (unix seconds, 0 unknown). ``searches`` is the number of
    answered searches that the node reports, None if it gives no status. ``advice`` is the remedy for ``problem``.
    """

    node: int
    title: str
    state: Literal["up", "behind", "down", "unusable"]
    milliseconds: float = 0.0
    sequence: int = 0
    published: int = 0
    searches: int | None = None
    problem: str = ""
    advice: str = ""


async def check_health(
    http: HttpClient,
    views: Mapping[int, NodeView],
    unusable: Mapping[int, str],
    deadline: float = DEADLINE_SECONDS,
    budget: OriginBudget | None = None,
) -> list[NodeHealth]:
    """Return the health of every node, by id; ``unusable`` maps nodes with unreadable publications to the reason.

    Takes up to ``deadline`` seconds. Never raises for a fault of a node.
    """
    budget = budget or OriginBudget(None)
    checked = await asyncio.gather(*(_check(http, view, deadline, budget) for view in views.values()))
    left_out = [
        NodeHealth(node=node, title="", state="unusable", problem=reason, advice=_UNUSABLE)
        for node, reason in unusable.items()
    ]
    return sorted([*checked, *left_out], key=lambda one: one.node)


async def _check(http: HttpClient, view: NodeView, deadline: float, budget: OriginBudget) -> NodeHealth:
    started = time.perf_counter()
    base = view.entry.endpoint.rstrip("/")
    state: Literal["up", "behind", "down"] = "up"
    searches, problem, advice = None, "", ""
    try:
        if budget.admit(view.entry) is not Admission.ADMITTED:
            raise Unreachable(budget.refusal(view.entry))
        reply = await http.fetch("GET", f"{base}/v1/status", deadline=deadline, max_bytes=MAX_STATUS)
        status = from_json(reply, ServiceStatus)
        searches = status.searches
        if not status.ready:
            state, problem, advice = "down", "It has nothing to serve.", _EMPTY
        elif not _serves_head(view, status):
            state, problem, advice = "behind", "It does not serve what it published last.", _BEHIND
    except CodecError:
        budget.failed(view.entry, strike=False)
        state, problem, advice = "down", "Its reply is not the status of a node.", _ODD
    except KnetError as error:
        reached = not isinstance(error, Unreachable | DeadlineExceeded)
        budget.failed(view.entry, reason=str(error), reached=reached, strike=False)
        state, problem, advice = "down", str(error), _advice(error)
    finally:
        budget.settle(view.entry)
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


def _serves_head(view: NodeView, status: ServiceStatus) -> bool:
    """Return True if the manifest that a node serves is one that clients accept replies for."""
    heads = [view.entry.head.manifest] if view.entry.head else []
    return status.manifest in (*heads, *view.earlier)


def _advice(error: KnetError) -> str:
    if isinstance(error, AddressRefused):
        return _REFUSED
    if isinstance(error, BadReply):
        return _EMPTY if error.status == 503 else _ODD
    return _ODD if isinstance(error, TooLarge) else _DOWN
