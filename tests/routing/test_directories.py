"""Selection of nodes for a query: one suite over both directories."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from knet.codec import cid_of
from knet.content.base import BlockSource
from knet.records import NodeEntry, Reputation
from knet.routing.card_directory import CardDirectory
from knet.routing.directory import NodeDirectory
from knet.routing.large import large_directory
from knet.routing.large.large_directory import SummaryDirectory
from knet.routing.node_view import NodeView
from knet.routing.options import Options
from knet.routing.query import Priors, Query
from knet.search.session import QuerySession
from tests.search.support import SPACE, Owner, embed

TOPICS = ["herons", "bridges", "comets", "cheeses", "glaciers", "violins"]
FOREIGN = msgspec.structs.replace(SPACE, model="foreign")  # of so many nodes that they are summarized
RARE = msgspec.structs.replace(SPACE, model="rare")  # of so few nodes that their full cards are kept
OWNERS = {
    owner.node: owner
    for owner in (
        *(Owner(1 + number, [f"Facts about {topic}."]) for number, topic in enumerate(TOPICS)),
        *(Owner(11 + number, ["Facts about herons."], FOREIGN) for number in range(5)),
        *(Owner(21 + number, ["Facts about herons."], RARE) for number in range(2)),
    )
}
QUESTION = "Which facts about herons?"
HOME = {1, 2, 3, 4, 5, 6}


class Sources:
    """Blocks of the owners, read from memory."""

    def of(self, entry: NodeEntry) -> BlockSource:
        return OWNERS[entry.node].store

    bounded = uncached = of


@pytest.fixture(params=["cards", "summaries"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NodeDirectory]:
    monkeypatch.setattr(large_directory, "MAX_FULL_CARDS", 3)
    sources: Any = Sources()
    with ThreadPoolExecutor(4) as pool:
        found: NodeDirectory = CardDirectory(pool, sources.of)
        if request.param == "summaries":
            found = SummaryDirectory(tmp_path, pool, sources, lambda known: [], {})
        found.follow([owner.view.entry for owner in OWNERS.values()])
        until = time.monotonic() + 30
        while found.coverage.known < len(OWNERS):
            assert time.monotonic() < until, found.coverage
            time.sleep(0.01)
        yield found
        found.close()


def query(**options: Any) -> Query:
    """Return a query of a client without an embedder for two of the spaces."""
    unembedded = {cid_of(FOREIGN): "no embedder", cid_of(RARE): "no embedder"}
    chosen = Options(max_nodes="all", **options)
    return Query(QUESTION, {cid_of(SPACE): embed(QUESTION)}, chosen, unembedded=unembedded)


def test_nodes_of_spaces_without_an_embedder_are_not_asked(directory: NodeDirectory) -> None:
    selection = directory.select(query(), Priors())
    assert {route.node for route in selection.routes} == HOME
    assert QuerySession(query(), selection).requests.keys() == {cid_of(SPACE)}
    unavailable = {status.node: status.detail for status in selection.unavailable}
    assert unavailable.items() >= {21: "no embedder", 22: "no embedder"}.items()
    assert not unavailable.keys() & HOME


def test_named_node_without_an_embedder_is_reported(directory: NodeDirectory) -> None:
    selection = directory.select(query(nodes=[2, 11, 21]), Priors())
    assert [route.node for route in selection.routes] == [2]
    assert {status.node for status in selection.unavailable} >= {21}


def test_query_that_names_only_unusable_nodes_selects_none(directory: NodeDirectory) -> None:
    selection = directory.select(query(nodes=[11, 21]), Priors())
    assert (list(selection.routes), selection.asked) == ([], 0)
    assert QuerySession(query(nodes=[11, 21]), selection).asked == []


def test_nodes_below_the_minimum_reliability_are_not_asked(directory: NodeDirectory) -> None:
    known = {1: Reputation(negative=9, count=9), 3: Reputation(positive=9, count=9)}
    priors = Priors(beliefs=lambda on_chain: {node: known[node] for node in on_chain if node in known})
    nodes = {route.node for route in directory.select(query(min_reliability=0.4), priors).routes}
    assert nodes == HOME - {1}
    usefulness = dict.fromkeys(known, Reputation())
    nodes = {
        route.node
        for route in directory.select(query(min_reliability=0.8), priors._replace(usefulness=usefulness)).routes
    }
    assert nodes == {3}


def test_selection_is_limited_to_the_best_nodes(directory: NodeDirectory) -> None:
    few = query()._replace(options=Options(max_nodes=2))
    selection = directory.select(few, Priors())
    asked = QuerySession(few, selection).asked
    assert [view.entry.node for view in asked] == [route.node for route in selection.routes[:2]]
    assert asked[0].entry.node == 1
    assert selection.reliability.keys() == {view.entry.node for view in asked}


def test_every_node_is_listed_and_can_be_looked_up(directory: NodeDirectory) -> None:
    assert {info.node for info in directory.infos()} == OWNERS.keys()
    found, failed = directory.look_up([1, 11, 21, 99])
    assert (found.keys(), failed) == ({1, 11, 21}, {})
    assert directory.cached().keys() >= {21, 22}
    assert {cid_of(space) for space in directory.spaces} == {cid_of(SPACE), cid_of(FOREIGN), cid_of(RARE)}


# --- places of a large directory -------------------------------------------------------------------------------------

HONEST = 12
JUNK = 3000


def crowd(count: int, owner: str = "") -> list[NodeView]:
    """Return nodes older than the honest ones, each in a space of its own that names an allowed model."""
    template = OWNERS[1].view
    views = []
    for node in range(1, count + 1):
        space = msgspec.structs.replace(SPACE, weights=node.to_bytes(32, "big"))
        card = msgspec.structs.replace(template.card, space=cid_of(space))
        entry = msgspec.structs.replace(template.entry, node=node, owner=owner or f"owner {node}")
        views.append(NodeView(entry, template.manifest, card, space))
    return views


def honest_nodes() -> list[NodeView]:
    template = OWNERS[1].view
    entries = [
        msgspec.structs.replace(template.entry, node=JUNK + number, owner=f"honest {number}")
        for number in range(1, HONEST + 1)
    ]
    return [NodeView(entry, template.manifest, template.card, SPACE) for entry in entries]


def held(monkeypatch: pytest.MonkeyPatch, folder: Path, views: list[NodeView], **options: Any) -> set[int]:
    """Return the nodes that a large directory holds after it has read these ones."""
    by_node = {view.entry.node: view for view in views}
    monkeypatch.setattr(large_directory, "load_view", lambda entry, source: by_node[entry.node])
    sources: Any = SimpleNamespace(uncached=lambda entry: None, bounded=lambda entry: None)
    with ThreadPoolExecutor(4) as pool:
        directory = SummaryDirectory(folder, pool, sources, lambda known: [], {}, **options)
        directory.follow([view.entry for view in views])
        assert directory._reader is not None
        directory._reader.join(60)
        directory.close()
        return set(directory.cached()) & by_node.keys()


def test_junk_nodes_of_spaces_that_the_client_cannot_use_take_no_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Threat model: node, many registrations in spaces of their own."""
    views = [*crowd(JUNK), *honest_nodes()]
    found = held(monkeypatch, tmp_path, views, refusal=lambda space: None if space == SPACE else "no embedder")
    assert found == {view.entry.node for view in honest_nodes()}


def test_many_nodes_of_one_owner_take_the_places_that_others_leave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Threat model: node, many registrations in spaces of their own."""
    found = held(monkeypatch, tmp_path, [*crowd(JUNK, "one owner"), *honest_nodes()])
    assert found >= {view.entry.node for view in honest_nodes()}
    assert len(found) == large_directory.MAX_FULL
