"""One line about each node, as `Network.nodes` lists them."""

from __future__ import annotations

from ..records import Record
from .node_view import NodeView


class NodeInfo(Record, frozen=True):
    """One node as `Network.nodes` lists it."""

    node: int
    title: str
    description: str
    endpoint: str
    documents: int
    chunks: int
    sequence: int
    reliability: float
    deviation: float
    ratings: int
    problem: str = ""


def info_of(view: NodeView) -> NodeInfo:
    return NodeInfo(
        node=view.entry.node,
        title=view.card.title,
        description=view.card.description,
        endpoint=view.entry.endpoint,
        documents=view.card.documents,
        chunks=view.card.chunks,
        sequence=view.manifest.sequence,
        reliability=view.reputation.mean,
        deviation=view.reputation.deviation,
        ratings=view.reputation.count,
    )


def unusable_info(node: int, reason: str) -> NodeInfo:
    return NodeInfo(
        node=node, title="", description="", endpoint="", documents=0, chunks=0, sequence=0,
        reliability=0.5, deviation=0.0, ratings=0, problem=reason,
    )  # fmt: skip
