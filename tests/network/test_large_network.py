"""Network with more nodes than a client keeps full cards of: real nodes, chain and answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from knet.chain.events import RegistrySnapshot
from knet.chain.evm import EvmChain
from knet.cli.main import app
from knet.client import network as network_module
from knet.client.network import Network
from knet.codec import from_json
from knet.config import Profile
from knet.content.base import BlockSource
from knet.records import Answer, NodeEntry
from knet.routing import follower
from knet.routing.large import large_directory

from .clients import open_client, own_network, wait_for
from .support import WORD_SPACE, RunningNode, WordEmbedder, start_nodes

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
    monkeypatch.setattr(follower, "MAX_FULL_CARDS", FEW)
    monkeypatch.setattr(large_directory, "MAX_FULL_CARDS", FEW)


def known(network: Network) -> Network:
    """Wait until every node is known."""
    until = time.monotonic() + 120
    while network.coverage()[:2] != (len(TOPICS), len(TOPICS)):
        assert time.monotonic() < until, network.coverage()
        time.sleep(0.05)
    return network


def test_question_goes_to_the_matching_node_and_its_answer_verifies(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        for number in (0, 5):
            answer = network.ask(f"Which fact about {TOPICS[number]} is told?", max_nodes=2)
            assert answer.found
            assert answer.passages[0].provenance.node == nodes[number].identity
            assert len(answer.nodes) == 2, "the answer lists only queried nodes"
            assert answer.verify().ok
        assert {info.title for info in network.nodes()} == {info.node.config.name for info in nodes}
        assert len(network.views()) < len(TOPICS), "full cards are kept of queried nodes only"


def test_named_node_is_queried_for_any_question(nodes: list[RunningNode], profile: Profile, tmp_path: Path) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        answer = network.ask("Which fact about herons is told?", nodes=[nodes[3].identity])
        assert [status.node for status in answer.nodes] == [nodes[3].identity]
        network.ask("Which fact about herons is told?", min_reliability=0.9)


def test_private_question_is_searched_on_this_machine(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
        answer = network.ask("Which fact about comets is told?", max_nodes=1, private=True)
        assert [passage.provenance.node for passage in answer.passages][:1] == [nodes[2].identity]


def fetched_by_another(profile: Profile, home: Path) -> list[int]:
    """Return the nodes whose cards a new client of the same home fetches to know and query the network."""
    fetched: list[int] = []
    with open_client(profile, home) as network:
        uncached = network._sources.uncached
        network._sources.uncached = lambda entry: fetched.append(entry.node) or uncached(entry)  # type: ignore[func-returns-value, method-assign]
        known(network)
        assert network.ask("Which fact about otters is told?").found
    return fetched


def test_restarted_client_fetches_no_card_again(nodes: list[RunningNode], profile: Profile, tmp_path: Path) -> None:
    with open_client(profile, tmp_path) as network:
        known(network)
    assert fetched_by_another(profile, tmp_path) == []


def fill_until(count: int, profile: Profile, folder: Path, results: Connection) -> None:
    """Run a client that reads ``count`` nodes, sends their ids, and then hangs."""
    with pytest.MonkeyPatch.context() as patched, open_client(profile, folder) as network:
        for module in (follower, large_directory):
            patched.setattr(module, "MAX_FULL_CARDS", FEW)
        patched.setattr(large_directory, "SAVED_SECONDS", 0.0)
        _read_only(network, count)
        while network.coverage()[0] < count:
            time.sleep(0.05)
        results.send([info.node for info in network.nodes() if not info.problem])
        threading.Event().wait()


def _read_only(network: Network, count: int) -> threading.Event:
    """Let the client read so many cards; the others arrive when the returned event is set."""
    uncached, left, arrive = network._sources.uncached, list(range(count)), threading.Event()

    def limited(entry: NodeEntry) -> BlockSource:
        try:
            left.pop()
        except IndexError:
            arrive.wait()
        return uncached(entry)

    network._sources.uncached = limited  # type: ignore[method-assign]
    return arrive


def test_killed_client_fetches_only_the_missing_cards(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    spawn = get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    client = spawn.Process(target=fill_until, args=(6, profile, tmp_path, sender), daemon=True)
    client.start()
    try:
        assert receiver.poll(120), "the client must read six nodes"
        kept = receiver.recv()
    finally:
        client.kill()
        client.join()
    fetched = fetched_by_another(profile, tmp_path)
    assert len(kept) == 6
    assert sorted([*kept, *fetched]) == sorted(node.identity for node in nodes)


def test_client_that_still_reads_reports_its_coverage(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    with open_client(profile, tmp_path) as network, monkeypatch.context() as patched:
        arrive = _read_only(network, FEW)
        patched.setattr(network_module, "connect", lambda _: nullcontext(network))
        try:
            asked = knet("ask", "Which fact about herons is told?", "--json")
            from_json(asked.stdout, Answer)
            coverage = json.loads(asked.stdout)["coverage"]
            assert coverage["published"] == len(TOPICS) > coverage["known"] > 0
            assert f"of {len(TOPICS)} nodes are known so far" in asked.stderr
            assert f"of {len(TOPICS)} nodes are known so far" in knet("ask", "Which fact about herons is told?").stderr
            listed = knet("nodes", "--json")
            assert f"of {len(TOPICS)} nodes are known so far" in listed.stderr
            problems = [info["problem"] for info in json.loads(listed.stdout)]
            assert (len(problems), problems.count(large_directory.UNREAD)) == (len(TOPICS), len(TOPICS) - FEW)
        finally:
            arrive.set()
        known(network)
        asked = knet("ask", "Which fact about herons is told?", "--json")
        assert "coverage" not in json.loads(asked.stdout)
        assert "known so far" not in asked.stderr + knet("nodes").stderr


def test_nodes_of_a_space_outside_the_profile_are_reported(devnet: Profile, tmp_path: Path) -> None:
    own = own_network(devnet, "foreign")
    foreign = WordEmbedder(replace(WORD_SPACE, model="test/foreign"))
    herons = {"herons.md": "One fact about herons is told here."}
    with (
        start_nodes(tmp_path / "own", own, [{"comets.md": "One fact about comets is told here."}]) as nodes,
        start_nodes(tmp_path / "foreign", own, [herons] * FEW, embedder=foreign) as strangers,
        open_client(own, tmp_path / "client") as network,
    ):
        wait_for(lambda: network.coverage().known == 1 + FEW, "every node is known")
        answer = network.ask("Which fact about herons is told?", max_nodes="all")
        statuses = {status.node: status.status for status in answer.nodes}
        assert statuses == {nodes[0].identity: "success"} | dict.fromkeys(
            (each.identity for each in strangers), "error"
        )


def knet(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result


def test_registry_is_read_in_pages_and_continues_from_any(
    nodes: list[RunningNode], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knet.chain.events.PAGE_BLOCKS", 3)
    chain = EvmChain(profile.rpc, profile.deployment)
    pages: list[RegistrySnapshot] = []
    whole = chain.registry_snapshot(on_page=pages.append)
    assert len(pages) > 3
    assert len(pages[0].nodes) < len(whole.nodes)
    for page in (pages[0], pages[len(pages) // 2]):
        assert chain.registry_snapshot(page).nodes == whole.nodes
