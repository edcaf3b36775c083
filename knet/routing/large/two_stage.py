"""Two-stage routing among more nodes than can be compared closely.

The first stage proposes a few hundred nodes by topic, by terms and by the client's priors. The second compares those by
their summaries as `knet.routing.router` compares few nodes by their cards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...codec import Cid
from ...index.analyser import tokens
from ...index.lexical import Statistics, term_hash
from ..card_index import CardFeatures, Rows, card_index
from ..features import features
from ..filters import permitted, with_vector
from ..node_view import NodeView
from ..query import Priors, Query, Reliabilities, Route
from ..router import NO_PRIORS, UNKNOWN, ranked
from .summary_index import SummaryIndex, Terms

MAX_FULL_CARDS = 500  # nodes of a space whose full cards are held and compared; of more, summaries
MAX_ROUTES = 32  # nodes ordered for a query: three times what is asked where the caller gives no number
MAX_NAMED = 1024  # nodes compared without proposal: named by the caller, or trusted as far as the caller requires


class Overview(NamedTuple):
    """Everything known of a large network: summaries of most nodes, full cards of those whose space has few nodes."""

    summaries: SummaryIndex
    spaces: Mapping[Cid, int]  # the number in ``summaries`` of each space
    full: Sequence[NodeView]

    def statistics(self, terms: Sequence[str]) -> Statistics:
        """Return term statistics over all nodes."""
        names = list(dict.fromkeys(terms))
        df = self.summaries.counts(names)
        for view in self.full:
            for name in names:
                df[name] += view.df.get(term_hash(name), 0)
        chunks = round(self.summaries.chunks) + sum(view.card.chunks for view in self.full)
        length = self.summaries.tokens + sum(view.card.average_length * view.card.chunks for view in self.full)
        return Statistics(chunks, length / max(chunks, 1), df)


def route_summaries(
    query: Query,
    overview: Overview,
    on_chain: Reliabilities,
    priors: Priors = NO_PRIORS,
    *,
    only: Collection[int] | None = None,
    prior_top: Collection[int] = (),
) -> list[Route]:
    """Return the best nodes, best first, `MAX_ROUTES` at most unless the query asks more.

    ``on_chain`` holds the reliability of nodes that were ever rated. ``only`` are the summarized nodes that may be
    asked (None: all). ``prior_top`` are compared for every query. Nodes of spaces that the query has no vector in are
    left out.
    """
    terms = list(dict.fromkeys(tokens(query.question)))
    statistics = overview.statistics(terms)
    idf = np.array([statistics.idf(term) for term in terms], float)
    asked = Terms(np.array([term_hash(term) for term in terms], np.uint32), idf)
    index = overview.summaries
    vectors = {overview.spaces[space]: vector for space, vector in query.vectors.items() if space in overview.spaces}
    rows, postings = index.proposed(asked, vectors, None if only is None else _mask(index, only))
    named = [*prior_top, *priors.expected] if only is None else [*only] if len(only) <= MAX_NAMED else []
    known = [index.row_of[node] for node in named if node in index.row_of]
    rows = np.unique(np.concatenate([rows, np.array(known, np.intp)]))
    rows = rows[index.usable[rows] & np.isin(index.columns["space"][rows], list(vectors))]
    full = tuple(permitted(with_vector(overview.full, query).values(), query, priors).values())
    found = index.card_features(rows, postings, asked, vectors)
    if full:
        found = _together(found, card_index(full).card_features(asked.keys.tolist(), query.vectors))
    nodes = [*index.columns["node"][rows].tolist(), *(view.entry.node for view in full)]
    most = query.options.max_nodes if isinstance(query.options.max_nodes, int) else 0
    return ranked(
        query,
        features(found, idf),
        {node: on_chain.get(node, UNKNOWN) for node in nodes},
        priors,
        most=max(MAX_ROUTES, most),
    )


def _mask(index: SummaryIndex, only: Collection[int]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(len(index.alive), bool)
    mask[[index.row_of[node] for node in only if node in index.row_of]] = True
    return mask


def _together(summaries: CardFeatures, cards: CardFeatures) -> CardFeatures:
    """Return both as one: the side with fewer centroids or places is filled up with empty ones."""
    width = max(summaries.cosine.shape[1], cards.cosine.shape[1])

    def wide(first: Rows, second: Rows, fill: float) -> Rows:
        return np.concatenate([_filled(first, width, fill), _filled(second, width, fill)])

    places = cards.place.shape[2]
    place = np.zeros((*summaries.place.shape[:2], places), bool)
    place[:, :, : summaries.place.shape[2]] = summaries.place
    return CardFeatures(
        cosine=wide(summaries.cosine, cards.cosine, -1.0),
        spread=wide(summaries.spread, cards.spread, 1.0),
        weight=wide(summaries.weight, cards.weight, 0.0),
        df=np.concatenate([summaries.df, cards.df]),
        place=np.concatenate([place, cards.place]),
        chunks=np.concatenate([summaries.chunks, cards.chunks]),
    )


def _filled(values: Rows, width: int, fill: float) -> Rows:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)
