"""Routing where there are more nodes than one can look at closely.

Two stages: a few hundred nodes are proposed by what the question is about, by its words, and by name; they are then
compared by their briefs just as `knet.routing.router` compares few nodes by their cards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...codec import Cid
from ...index.lexical import Statistics, term_hash, tokens
from ...index.shard import Vectors
from ...records import Reputation
from ..card_index import CardFeatures, Rows, card_index
from ..features import features
from ..node_view import NodeView
from ..router import NOBODY, NOTHING, UNKNOWN, Route, ordered
from .summary_index import SummaryIndex, Terms

WHOLE = 500  # nodes of a space whose cards are all held and compared; of more, briefs
MOST_KEPT = 32  # nodes in the order of a question: three times what is asked where nobody says how many
MOST_NAMED = (
    1024  # nodes that a user may name, or that are trusted as far as a user asks for, compared without proposal
)


class Overview(NamedTuple):
    """All that is known of a big network: of most nodes briefs, of some, whose space has few nodes, whole cards."""

    chart: SummaryIndex
    spaces: Mapping[Cid, int]  # by which the chart names spaces
    near: Sequence[NodeView]

    def statistics(self, terms: Sequence[str]) -> Statistics:
        """Term statistics over all nodes."""
        names = list(dict.fromkeys(terms))
        df = self.chart.counts(names)
        for view in self.near:
            for name in names:
                df[name] += view.df.get(term_hash(name), 0)
        chunks = round(self.chart.chunks) + sum(view.card.chunks for view in self.near)
        length = self.chart.tokens + sum(view.card.average_length * view.card.chunks for view in self.near)
        return Statistics(chunks, length / max(chunks, 1), df)


def route_far(
    question: str,
    vectors: Mapping[Cid, Vectors],
    overview: Overview,
    on_chain: Mapping[int, Reputation],
    *,
    asked: int | None = None,
    only: Collection[int] | None = None,
    named: Collection[int] = (),
    usefulness: Mapping[int, Reputation] = NOBODY,
    beliefs: Callable[[Mapping[int, Reputation]], Mapping[int, Reputation]] = lambda known: NOBODY,
    expected: Mapping[int, float] = NOTHING,
) -> list[Route]:
    """The most promising nodes, best first, `MOST_KEPT` at most.

    ``only`` are the nodes that may be asked (None: all), ``named`` those that are looked at whatever the question, for
    what is known of them; ``on_chain`` is the reliability of nodes that were ever rated, ``beliefs`` tells what this
    client holds of some beyond that. The rest is as for `knet.routing.router.route`.
    """
    terms = list(dict.fromkeys(tokens(question)))
    statistics = overview.statistics(terms)
    idf = np.array([statistics.idf(term) for term in terms], float)
    asks = Terms(np.array([term_hash(term) for term in terms], np.uint32), idf)
    chart = overview.chart
    own = {overview.spaces[space]: vector for space, vector in vectors.items() if space in overview.spaces}
    rows, held = chart.proposed(asks, own, None if only is None else _mask(chart, only))
    further = [*named, *expected] if only is None else [*only] if len(only) <= MOST_NAMED else []
    known = [chart.row_of[node] for node in further if node in chart.row_of]
    rows = np.unique(np.concatenate([rows, np.array(known, np.intp)]))
    rows = rows[chart.usable[rows] & np.isin(chart.columns["space"][rows], list(own))]
    near = tuple(view for view in overview.near if only is None or view.entry.node in only)
    seen = chart.look(rows, held, asks, own)
    if near:
        seen = _together(seen, card_index(near).look(asks.keys.tolist(), vectors))
    nodes = [*chart.columns["node"][rows].tolist(), *(view.entry.node for view in near)]
    rated = {node: on_chain.get(node, UNKNOWN) for node in nodes}
    return ordered(
        question,
        features(seen, idf),
        rated,
        asked=MOST_KEPT if asked == 0 else asked,
        usefulness=usefulness,
        beliefs=beliefs(rated),
        expected=expected,
        most=max(MOST_KEPT, asked or 0),
    )


def _mask(chart: SummaryIndex, only: Collection[int]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(chart.alive), bool)
    mask[[chart.row_of[node] for node in only if node in chart.row_of]] = True
    return mask


def _together(far: CardFeatures, near: CardFeatures) -> CardFeatures:
    """Briefs and cards as one: what has fewer centroids or places is filled up with none."""
    width = max(far.cosine.shape[1], near.cosine.shape[1])

    def wide(first: Rows, second: Rows, fill: float) -> Rows:
        return np.concatenate([_filled(first, width, fill), _filled(second, width, fill)])

    places = near.place.shape[2]
    place = np.zeros((*far.place.shape[:2], places), bool)
    place[:, :, : far.place.shape[2]] = far.place
    return CardFeatures(
        cosine=wide(far.cosine, near.cosine, -1.0),
        spread=wide(far.spread, near.spread, 1.0),
        weight=wide(far.weight, near.weight, 0.0),
        df=np.concatenate([far.df, near.df]),
        place=np.concatenate([place, near.place]),
        chunks=np.concatenate([far.chunks, near.chunks]),
    )


def _filled(values: Rows, width: int, fill: float) -> Rows:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)
