"""The router: order of nodes by their features for a query, and the number to query."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from knet.codec import cid_of
from knet.index.card_format import read_places, read_spreads
from knet.routing.card_index import CardIndex
from knet.routing.features import FEATURES, probabilities
from knet.routing.node_view import NodeView
from knet.routing.query import Query, Route
from knet.routing.router import FEWEST, MOST, cutoff, route
from tests.search.support import SPACE, Owner, embed

SCATTERED = ["A comet came by.", "It was the year 1577.", "Its tail was long.", "All in Prague stayed awake."]
TOGETHER = ["A comet with a long tail was seen from Prague in 1577.", "Bread is baked at dawn."]
OTHERS = ["Ships carry grain.", "Wool is spun in winter."]
QUESTION = "Was a comet with a tail seen from Prague in 1577?"
VIEWS = [Owner(1, SCATTERED).view, Owner(2, TOGETHER).view, Owner(3, OTHERS).view]
VECTORS = {cid_of(SPACE): embed(QUESTION)}
QUERY = Query(QUESTION, VECTORS)


def older(view: NodeView) -> NodeView:
    """Return the same node with a card of an earlier version, without spreads and places."""
    card = msgspec.structs.replace(view.card, spreads=b"", places=b"")
    return NodeView(view.entry, view.manifest, card, view.space)


def test_node_with_all_terms_in_one_place_is_first() -> None:
    routes = route(QUERY, VIEWS)
    assert [each.node for each in routes] == [2, 1, 3]
    assert routes[0].evidence["joint"] > routes[1].evidence["joint"] > routes[2].evidence["joint"]
    assert set(FEATURES) < routes[0].evidence.keys()
    assert sum(each.evidence["chance"] for each in routes) == pytest.approx(1.0, abs=1e-3)


def test_cards_of_earlier_versions_are_routed() -> None:
    routes = route(QUERY, [older(view) for view in VIEWS])
    assert routes[-1].node == 3


def test_card_with_terms_of_an_earlier_analyser_is_routed_by_its_vectors() -> None:
    view = VIEWS[1]
    card = msgspec.structs.replace(view.card, analyser=msgspec.UNSET)
    old = NodeView(view.entry, view.manifest, card, view.space)
    assert old.df == {}
    assert old.card.terms == view.card.terms
    assert [each.node for each in route(QUERY, [VIEWS[2], old])] == [2, 3]


def test_nodes_without_an_embedder_are_routed_by_words() -> None:
    routes = route(Query(QUESTION, {}), VIEWS)
    assert [each.node for each in routes] == [2, 1, 3]
    assert all(each.evidence["topic"] == -1.0 for each in routes)


def test_route_without_nodes_is_empty() -> None:
    assert route(QUERY, []) == []
    assert route(Query("?!", VECTORS), VIEWS)


def test_cutoff_follows_the_probabilities() -> None:
    first = route(QUERY, VIEWS)[0]

    def routes(*probabilities: float) -> list[Route]:
        return [msgspec.structs.replace(first, evidence={"chance": chance}) for chance in probabilities]

    assert cutoff(routes(0.98, *[0.001] * 20)) == FEWEST
    assert cutoff(routes(*[0.12] * 8, 0.02, 0.02)) == 8
    assert cutoff(routes(*[0.02] * 50)) == MOST
    assert cutoff(routes(0.5, 0.5)) == 2


def test_card_places_map_terms_to_centroids() -> None:
    seen = CardIndex(VIEWS).card_features([], VECTORS)
    assert seen.df.shape == (3, 0)
    held = {bin(int(mask)).count("1") for mask in read_places(VIEWS[0].card)}
    assert held == {1, 2}, "each chunk is a centroid here, and two of them have 'was'"
    assert np.allclose(read_spreads(VIEWS[0].card), 1.0, atol=0.01)


@pytest.mark.parametrize(
    "changes", [{"places": b"no zlib"}, {"places": b"x\x9c\x03\x00\x00\x00\x00\x01"}, {"spreads": b"\x00\x7c"}]
)
def test_card_with_malformed_places_or_spreads_is_refused(changes: dict[str, bytes]) -> None:
    card = msgspec.structs.replace(VIEWS[0].card, **changes)
    read = read_places if "places" in changes else read_spreads
    with pytest.raises(ValueError, match="it"):
        read(card)


def test_probability_of_a_far_lower_score_is_zero() -> None:
    assert probabilities(np.array([0.0, -50.0])).round(3).tolist() == [1.0, 0.0]
