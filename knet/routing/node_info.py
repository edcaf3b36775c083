"""One line about each node, as `Network.nodes` lists them."""

from __future__ import annotations

from ..records import Record
from .node_view import NodeView


class NodeInfo(Record, frozen=True):
    """One node as `Network.nodes` lists it; one that cannot be asked has only its ``problem``."""

    node: int
    title: str = ""
    description: str = ""
    endpoint: str = ""
    documents: int = 0
    chunks: int = 0
    sequence: int = 0
    reliability: float = 0.5
    deviation: float = 0.0
    ratings: int = 0
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
