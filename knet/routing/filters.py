"""Filters that every directory applies: the nodes that a query may go to, and statuses of those it cannot go to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from ..limits import cut
from ..records import NodeStatus
from .node_view import NodeView
from .query import Priors, Query

MAX_UNAVAILABLE = 1000  # statuses of nodes that cannot be asked; a large network may have very many


def with_vector(views: Iterable[NodeView], query: Query) -> dict[int, NodeView]:
    """Return the views whose space the query has a vector in, by node."""
    return {view.entry.node: view for view in views if view.card.space in query.vectors}


def permitted(views: Iterable[NodeView], query: Query, priors: Priors) -> dict[int, NodeView]:
    """Return the views that hold anything and that the query's options allow, by node."""
    options = query.options
    found = {
        view.entry.node: view
        for view in views
        if view.card.chunks > 0 and (not options.nodes or view.entry.node in options.nodes)
    }
    if options.min_reliability <= 0:
        return found
    known = priors.reliability({node: view.reputation for node, view in found.items()})
    return {node: view for node, view in found.items() if known[node].mean >= options.min_reliability}


def unembedded_statuses(views: Iterable[NodeView], query: Query) -> list[NodeStatus]:
    """Return a status for every view whose space has no embedder, `MAX_UNAVAILABLE` at most."""
    found = (view for view in views if view.card.space in query.unembedded)
    return [
        _status(view.entry.node, view.card.title, query.unembedded[view.card.space])
        for view in islice(found, MAX_UNAVAILABLE)
    ]


def unavailable_statuses(
    reasons: Mapping[int, str], title: Callable[[int], str] = lambda node: f"node {node}"
) -> list[NodeStatus]:
    """Return a status for every node of ``reasons``, `MAX_UNAVAILABLE` at most."""
    return [_status(node, title(node), reason) for node, reason in islice(reasons.items(), MAX_UNAVAILABLE)]


def _status(node: int, title: str, reason: str) -> NodeStatus:
    return NodeStatus(node=node, title=title, status="error", detail=cut(reason))
