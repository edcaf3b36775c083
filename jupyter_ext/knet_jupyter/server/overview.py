"""Overview of the network for the panel: topics in two dimensions, reliability over time, ratings and trust."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from knet.client.network import Network
from knet.client.trust_model import NodeTrust
from knet.codec import Cid
from knet.records import Record
from knet.routing.node_view import NodeView
from knet.trust.history import History, Point

MAX_BATCHES = 500  # the newest, which are drawn; more do not fit the drawing

Floats = npt.NDArray[np.float64]


class Topic(Record, frozen=True):
    """One centroid of a node's routing card: its place (-1..1 in each direction) and its number of chunks."""

    x: float
    y: float
    weight: int


class Region(Record, frozen=True):
    """A node on the map: its topics and their weighted mean."""

    node: int
    x: float
    y: float
    topics: list[Topic]


class TopicMap(Record, frozen=True):
    """The nodes of one space; spaces cannot be compared. ``explained`` is the share of the variance that is drawn."""

    model: str
    explained: float
    regions: list[Region]


class NodeFeedback(Record, frozen=True):
    """This user's ratings of a node, as sums of their values, and the node's trust through the trusted raters."""

    node: int
    positive: float
    negative: float
    count: int
    trust: float
    why: str


class Overview(Record, frozen=True):
    """The maps of topics, the reliability of each node over time, and this user's ratings."""

    maps: list[TopicMap]
    history: dict[int, list[Point]]
    rated: list[NodeFeedback]


def overview(network: Network) -> Overview:
    """Build the overview from the chain's events and the cards. Raises ChainUnreachable."""
    histories = network.trust.history()
    trusted = {each.node: each for each in network.trust.all()}
    return Overview(
        maps=topic_maps(network.views()),
        history={each.node: each.reliability[-MAX_BATCHES:] for each in histories if each.reliability},
        rated=[_rated(each, trusted[each.node], network.address) for each in histories if each.node in trusted],
    )


def _rated(history: History, trusted: NodeTrust, me: str) -> NodeFeedback:
    own = [point for point in history.reliability if point.rater == me]
    return NodeFeedback(
        node=history.node,
        positive=sum(point.positive for point in own),
        negative=sum(point.negative for point in own),
        count=sum(point.ratings for point in own),
        trust=trusted.score,
        why=trusted.why,
    )


def topic_maps(views: Mapping[int, NodeView]) -> list[TopicMap]:
    """Return one map a space, the map with the most nodes first."""
    spaces: defaultdict[Cid, list[NodeView]] = defaultdict(list)
    for view in views.values():
        if len(view.centroids):
            spaces[view.card.space].append(view)
    return [_map(group) for group in sorted(spaces.values(), key=lambda group: -len(group))]


def _map(views: Sequence[NodeView]) -> TopicMap:
    places, explained = project(np.concatenate([view.centroids for view in views]).astype(np.float64))
    regions, start = [], 0
    for view in views:
        own = places[start : start + len(view.centroids)]
        start += len(own)
        weights = np.frombuffer(view.card.weights, "<u4")[: len(own)].astype(float)
        middle = np.average(own, axis=0, weights=weights) if weights.sum() > 0 else own.mean(axis=0)
        topics = [Topic(x=_short(x), y=_short(y), weight=int(w)) for (x, y), w in zip(own, weights, strict=True)]
        regions.append(Region(node=view.entry.node, x=_short(middle[0]), y=_short(middle[1]), topics=topics))
    return TopicMap(model=views[0].space.model, explained=_short(explained), regions=regions)


def project(points: Floats) -> tuple[Floats, float]:
    """Return ``(n, d)`` points in two principal directions, scaled to -1..1, and the share of variance kept.

    The sign of a direction is arbitrary; the point farthest from the mean gets the positive side.
    """
    centred = points - points.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    flat = np.zeros((len(points), 2))
    flat[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    flat *= np.where(flat[np.abs(flat).argmax(axis=0), [0, 1]] < 0, -1, 1)
    total = float((sizes**2).sum())
    explained = float((sizes[:2] ** 2).sum()) / total if total > 0 else 1.0
    return flat / max(float(np.abs(flat).max()), 1e-12), explained


def _short(value: float) -> float:
    return round(float(value), 4)
