"""A network of more nodes than a client holds whole, at the size where that begins: real nodes, chain and answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.chain.base import Directory
from knet.chain.evm import EvmChain
from knet.config import Profile
from knet.query import crowd, directory
from knet.query.network import Network

from .clients import open_client, own_network
from .support import RunningNode, start_nodes

TOPICS = ["herons", "bridges", "comets", "cheeses", "glaciers", "violins", "lanterns", "otters"]
FEW = 4

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def profile(devnet: Profile) -> Profile:
    return own_network(devnet, "crowd")


@pytest.fixture(scope="module")
def nodes(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    collections = [
        {f"{topic}.md": " ".join(f"Fact {number} about {topic} is told here." for number in range(30))}
        for topic in TOPICS
    ]
    with start_nodes(tmp_path_factory.mktemp("crowd"), profile, collections) as running:
        yield running


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "WHOLE", FEW)
    monkeypatch.setattr(crowd, "WHOLE", FEW)


def known(network: Network) -> Network:
    """Once every node is known."""
    until = time.monotonic() + 120
    while network.coverage() != (len(TOPICS), len(TOPICS)):
        assert time.monotonic() < until, network.coverage()
        time.sleep(0.05)
    return network


def test_a_question_goes_to_whoever_knows_and_the_answer_verifies(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        for number in (0, 5):
            answer = network.ask(f"Which fact about {TOPICS[number]} is told?", ask=2)
            assert answer.found
            assert answer.passages[0].provenance.node == nodes[number].identity
            assert len(answer.nodes) == 2, "the others are not even mentioned"
            assert answer.verify().ok
        assert {info.title for info in network.nodes()} == {info.node.config.name for info in nodes}
        assert len(network.views()) < len(TOPICS), "only those asked are held whole"


def test_a_named_node_is_asked_whatever_the_question_is_about(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        answer = network.ask("Which fact about herons is told?", nodes=[nodes[3].identity])
        assert [status.node for status in answer.nodes] == [nodes[3].identity]
        network.ask("Which fact about herons is told?", min_reliability=0.9)


def test_private_questions_are_searched_here(nodes: list[RunningNode], profile: Profile, tmp_path: Path) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        answer = network.ask("Which fact about comets is told?", ask=1, private=True)
        assert [passage.provenance.node for passage in answer.passages][:1] == [nodes[2].identity]


def test_a_client_that_was_stopped_goes_on_from_what_it_kept(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
    fetched: list[int] = []
    with open_client(profile, tmp_path) as network:
        glance = network._view._glance_for
        network._view._glance_for = lambda entry: fetched.append(entry.node) or glance(entry)  # type: ignore[func-returns-value]
        known(network)
        assert network.ask("Which fact about otters is told?").found
    assert fetched == []


def test_the_directory_is_handed_out_page_by_page_and_goes_on_from_any(
    nodes: list[RunningNode], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knet.chain.events.PAGE_BLOCKS", 3)
    chain = EvmChain(profile.rpc, profile.deployment)
    pages: list[Directory] = []
    whole = chain.directory(on_page=pages.append)
    assert len(pages) > 3
    assert len(pages[0].nodes) < len(whole.nodes)
    for page in (pages[0], pages[len(pages) // 2]):
        assert chain.directory(page).nodes == whole.nodes
