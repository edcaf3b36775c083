"""Cancellation of questions: no node is waited for, and the next question works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.client.network import Network
from knet.config import Profile
from knet.errors import Cancelled
from knet.records import NodeStatus, SearchReply, SearchRequest
from knet_indexer.server.app import Service

from .clients import PATIENT, open_client, own_network
from .support import RunningNode, start_nodes

QUESTION = "Where does the otter sleep?"
pytestmark = pytest.mark.network


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path) -> Iterator[list[RunningNode]]:
    collections = [{"otter.md": "The otter sleeps in its holt."}, {"heron.md": "The heron sleeps on one leg."}]
    with start_nodes(tmp_path / "nodes", own_network(devnet), collections) as nodes:
        yield nodes


@pytest.fixture
def net(nodes: list[RunningNode], tmp_path: Path) -> Iterator[Network]:
    with open_client(nodes[0].node.profile, tmp_path / "client") as net:
        yield net


def test_selected_nodes_are_reported_before_their_replies(net: Network, nodes: list[RunningNode]) -> None:
    events: list[tuple[str, int]] = []
    net.ask(
        QUESTION,
        node_timeout=PATIENT,
        on_selected=lambda asked: events.extend(("asking", node.node) for node in asked),
        on_status=lambda node: events.append(("done", node.node)),
    )
    ids = {node.identity for node in nodes}
    assert [event for event, _ in events] == ["asking", "asking", "done", "done"]
    assert {node for _, node in events[:2]} == {node for _, node in events[2:]} == ids


def test_question_is_cancelled_while_nodes_withhold_their_replies(
    net: Network, nodes: list[RunningNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, release = threading.Event(), threading.Event()
    search = Service.search

    async def held(service: Service, request: SearchRequest) -> SearchReply:
        stop.set()
        while not release.is_set():
            await asyncio.sleep(0.05)
        return await search(service, request)

    monkeypatch.setattr(Service, "search", held)
    statuses: list[NodeStatus] = []
    try:
        with pytest.raises(Cancelled):
            net.ask(QUESTION, node_timeout=PATIENT, cancel=stop, on_status=statuses.append)
    finally:
        release.set()
    assert statuses == []
    assert {node.status for node in net.ask(QUESTION, node_timeout=PATIENT).nodes} == {"success"}


@pytest.mark.parametrize("private", [False, True])
def test_question_cancelled_beforehand_reaches_no_node(net: Network, private: bool) -> None:
    stop = threading.Event()
    stop.set()
    asked: list[NodeStatus] = []
    with pytest.raises(Cancelled):
        net.ask(QUESTION, private=private, cancel=stop, on_selected=asked.extend)
    assert asked == []


def test_unset_cancel_event_changes_nothing(net: Network) -> None:
    for private in (False, True):
        answer = net.ask(QUESTION, private=private, node_timeout=PATIENT, cancel=threading.Event())
        assert [node.status for node in answer.nodes] == ["success", "success"]
