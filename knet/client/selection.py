"""Whom to ask: from what is known of the nodes, what the user wants, and what this client found out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from ..codec import Cid, cid_of
from ..index.lexical import Statistics, tokens
from ..index.shard import Vectors
from ..records import NodeStatus, Reputation
from ..routing.directory import NetworkView
from ..routing.large.large_directory import Crowd
from ..routing.large.two_stage import MOST_NAMED, route_far
from ..routing.node_view import NodeView
from ..routing.router import Route, cutoff, route
from ..search.query_embedding import QueryEmbedders
from ..search.session import Options
from .trust_model import TrustModel

SPARE = 4  # nodes looked up beyond those to be asked, should some be gone
MOST_TOLD = 1000  # statuses of nodes that cannot be asked; of a big network there may be very many
UNKNOWN_MEAN = Reputation().mean


class Selection(NamedTuple):
    """The nodes of one question, best first, and everything about them. ``statistics`` where ``views`` are not all
    that there are; ``missing`` are nodes that cannot be asked."""

    routes: list[Route]
    views: Mapping[int, NodeView]
    vectors: Mapping[Cid, Vectors]
    options: Options
    beliefs: Mapping[int, Reputation]
    missing: Sequence[NodeStatus]
    statistics: Statistics | None = None


def select_nodes(
    question: str, known: Mapping[int, NodeView], options: Options, spaces: QueryEmbedders, standings: TrustModel
) -> Selection:
    """Of nodes that are all held whole."""
    standings.begin({view.card.space for view in known.values()})
    vectors, views, missing = spaces.embed(question, known)
    beliefs = standings.beliefs({node: view.reputation for node, view in views.items()})
    eligible = [
        view
        for node, view in views.items()
        if (not options.nodes or node in options.nodes)
        and beliefs.get(node, view.reputation).mean >= options.min_reliability
        and view.card.chunks > 0
    ]
    routes = route(
        question,
        vectors,
        eligible,
        asked=options.ask,
        usefulness=standings.usefulness,
        beliefs=beliefs,
        expected=standings.expected(vectors),
    )
    return Selection(routes, views, vectors, options, beliefs, missing)


def choose_far(
    question: str, view: NetworkView, crowd: Crowd, options: Options, spaces: QueryEmbedders, standings: TrustModel
) -> Selection:
    """Of more nodes than are held whole: those to be asked alone are looked up, and the next in their place where that
    fails."""
    records = crowd.spaces
    standings.begin(map(cid_of, records))
    vectors, _ = spaces.vectors(question, records)
    named = [node for node in dict.fromkeys(options.nodes) if not crowd.holds(node)][:MOST_NAMED]
    further, failed = view.look_up(named)
    overview = crowd.overview(further.values())
    routes = route_far(
        question,
        vectors,
        overview,
        crowd.reputations,
        asked=options.ask,
        only=_only(options, crowd, standings),
        named=crowd.favoured,
        usefulness=standings.usefulness,
        beliefs=standings.beliefs,
        expected=standings.expected(vectors),
    )
    gone = crowd.unusable
    routes = [each for each in routes if each.node not in gone]
    beliefs = standings.beliefs({each.node: crowd.reputations.get(each.node, Reputation()) for each in routes})
    if options.min_reliability > 0:
        rated = {each.node: crowd.reputations.get(each.node, Reputation()) for each in routes} | beliefs
        routes = [each for each in routes if rated[each.node].mean >= options.min_reliability]
    count = cutoff(routes) if options.ask is None else min(options.ask or len(routes), len(routes))
    views, lost = view.look_up([each.node for each in routes[: count + SPARE]])
    there = [each for each in routes if each.node in views][:count]
    return Selection(
        routes=there,
        views={each.node: views[each.node] for each in there},
        vectors=vectors,
        options=replace(options, ask=0),
        beliefs=beliefs,
        missing=[
            NodeStatus(
                node=node, title=crowd.title(node) if crowd.holds(node) else f"node {node}", status="error", detail=why
            )
            for node, why in (failed | lost).items()
        ],
        statistics=overview.statistics(tokens(question)),
    )


def _only(options: Options, crowd: Crowd, standings: TrustModel) -> set[int] | None:
    """The nodes that may be asked, where the user leaves few: named ones, or such as are trusted more than unknown
    ones are."""
    only = set(options.nodes) if options.nodes else None
    if options.min_reliability > UNKNOWN_MEAN:
        rated = {**dict.fromkeys(standings.usefulness, Reputation()), **crowd.reputations}
        believed = rated | standings.beliefs(rated)
        trusted = {node for node, known in believed.items() if known.mean >= options.min_reliability}
        only = trusted if only is None else only & trusted
    return only


def unavailable_statuses(unusable: Mapping[int, str]) -> list[NodeStatus]:
    """What an answer says of nodes that cannot be asked at all, `MOST_TOLD` of them at most."""
    return [
        NodeStatus(node=node, title=f"node {node}", status="error", detail=reason)
        for node, reason in islice(unusable.items(), MOST_TOLD)
    ]
