"""The network as a picture: topics in two dimensions, reliability over time, what I rated, whom I trust and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from knet.chain.batches import Batch, Delta
from knet.codec import Cid
from knet.query.network import Network
from knet.query.view import NodeView
from knet.records import Record, Reputation
from knet.trust.sybil import TrustWalks

EPOCH_SECONDS = 7 * 86_400  # `Reliability.EPOCH`
KEPT = 0.97  # of a weight from one epoch to the next; `ScoreLib`
MAX_BATCHES = 500  # the newest that are drawn: a picture of more says nothing more

Floats = npt.NDArray[np.float64]


class Topic(Record, frozen=True):
    """One centroid of a node's routing card: where it lies (-1..1 each way), and the chunks behind it."""

    x: float
    y: float
    weight: int


class Region(Record, frozen=True):
    """A node on the map: its topics and their middle."""

    node: int
    x: float
    y: float
    topics: list[Topic]


class TopicMap(Record, frozen=True):
    """All nodes of one space; of two spaces nothing can be compared. ``explained`` is the share of variance drawn."""

    model: str
    explained: float
    regions: list[Region]


class Moment(Record, frozen=True):
    """What the chain said of a node after one batch."""

    time: int
    mean: float
    deviation: float
    count: int


class Rated(Record, frozen=True):
    """My own verdicts on a node so far, in full verdicts, and how far the network of raters I trust leads to it."""

    node: int
    positive: float
    negative: float
    count: int
    trust: float
    why: str


class Landscape(Record, frozen=True):
    maps: list[TopicMap]
    history: dict[int, list[Moment]]
    rated: list[Rated]


def landscape(network: Network) -> Landscape:
    """Read the network's events and cards. Raises ChainUnreachable."""
    views = network.views()
    gone = network.chain.taken_back()
    batches = [each for each in network.chain.batches() if (each.rater, each.number) not in gone][-MAX_BATCHES:]
    return Landscape(
        maps=topic_maps(views),
        history=history(batches),
        rated=_rated(views, batches, network.address),
    )


def topic_maps(views: Mapping[int, NodeView]) -> list[TopicMap]:
    """One map a space, the one with most nodes first."""
    spaces: defaultdict[Cid, list[NodeView]] = defaultdict(list)
    for view in views.values():
        if len(view.centroids):
            spaces[view.card.space].append(view)
    return [_map(group) for group in sorted(spaces.values(), key=lambda group: -len(group))]


def _map(views: Sequence[NodeView]) -> TopicMap:
    places, explained = flattened(np.concatenate([view.centroids for view in views]).astype(np.float64))
    regions, start = [], 0
    for view in views:
        own = places[start : start + len(view.centroids)]
        start += len(own)
        weights = np.frombuffer(view.card.weights, "<u4")[: len(own)].astype(float)
        middle = np.average(own, axis=0, weights=weights) if weights.sum() > 0 else own.mean(axis=0)
        topics = [Topic(x=_short(x), y=_short(y), weight=int(w)) for (x, y), w in zip(own, weights, strict=True)]
        regions.append(Region(node=view.entry.node, x=_short(middle[0]), y=_short(middle[1]), topics=topics))
    return TopicMap(model=views[0].space.model, explained=_short(explained), regions=regions)


def flattened(points: Floats) -> tuple[Floats, float]:
    """``(n, d)`` points in their two principal directions, scaled to -1..1, and the share of variance these keep.

    The sign of a direction is free; it is chosen so that the point farthest out lies on the positive side.
    """
    centred = points - points.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    flat = np.zeros((len(points), 2))
    flat[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
    flat *= np.where(flat[np.abs(flat).argmax(axis=0), [0, 1]] < 0, -1, 1)
    total = float((sizes**2).sum())
    explained = float((sizes[:2] ** 2).sum()) / total if total > 0 else 1.0
    return flat / max(float(np.abs(flat).max()), 1e-12), explained


def history(batches: Sequence[Batch]) -> dict[int, list[Moment]]:
    """For each node its reliability after each batch on it, oldest first; old weight fades as on chain."""
    sums: dict[int, tuple[Reputation, int]] = {}
    found: defaultdict[int, list[Moment]] = defaultdict(list)
    for batch in batches:
        epoch = batch.submitted_at // EPOCH_SECONDS
        for delta in batch.deltas:
            before, since = sums.get(delta.node, (Reputation(), epoch))
            now = _added(before, KEPT ** (epoch - since), delta)
            sums[delta.node] = now, epoch
            found[delta.node].append(
                Moment(time=batch.submitted_at, mean=now.mean, deviation=now.deviation, count=now.count)
            )
    return dict(found)


def _added(before: Reputation, kept: float, delta: Delta) -> Reputation:
    return Reputation(
        positive=before.positive * kept + delta.positive / 100,
        negative=before.negative * kept + delta.negative / 100,
        count=before.count + delta.count,
    )


def _rated(views: Mapping[int, NodeView], batches: Sequence[Batch], me: str) -> list[Rated]:
    names = _Names(views)
    edges = [
        (names.of_account(batch.rater), names.of_node(delta.node), (delta.positive - delta.negative) / 100)
        for batch in batches
        for delta in batch.deltas
    ]
    walks = TrustWalks(names.of_account(me), edges)
    own: dict[int, Reputation] = {}
    for batch in batches:
        if batch.rater == me:
            for delta in batch.deltas:
                own[delta.node] = _added(own.get(delta.node, Reputation()), 1.0, delta)
    found = []
    for node in sorted({*views, *own}):
        trust, mine = walks.explain(names.of_node(node)), own.get(node, Reputation())
        found.append(
            Rated(
                node=node, positive=mine.positive, negative=mine.negative, count=mine.count,
                trust=trust.score, why=str(trust),
            )
        )  # fmt: skip
    return found


class _Names:
    """What accounts and nodes are called in an explanation. A node's owner and the node are one party."""

    def __init__(self, views: Mapping[int, NodeView]) -> None:
        self._owners = {node: view.entry.owner for node, view in views.items()}
        self._titles = {view.entry.owner: f"{view.card.title} (node {node})" for node, view in views.items()}

    def of_account(self, address: str) -> str:
        return self._titles.get(address, address)

    def of_node(self, node: int) -> str:
        return self.of_account(self._owners[node]) if node in self._owners else f"node {node}"


def _short(value: float) -> float:
    return round(float(value), 4)
