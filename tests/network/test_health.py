"""Health of nodes as a client reports it: nodes that serve, stop or publish, and other servers at their address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from knet.client.network import Network
from knet.config import Profile
from knet.http import HttpClient
from knet.records import NodeEntry
from knet.routing.health import NodeHealth, check_health
from knet.routing.node_view import NodeView

from .clients import PATIENT, open_client, own_network, wait_for
from .support import RunningNode, start_nodes

pytestmark = pytest.mark.network
DOCUMENTS = {"beaver.md": "A beaver builds a dam of branches, mud and stones."}
QUESTION = "How does a beaver build a dam?"


@pytest.fixture(scope="module")
def profile(devnet: Profile) -> Profile:
    return own_network(devnet, "health")


@pytest.fixture(scope="module")
def node(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    with start_nodes(tmp_path_factory.mktemp("node"), profile, [DOCUMENTS]) as (node,):
        yield node


@pytest.fixture
def net(profile: Profile, node: RunningNode, tmp_path: Path) -> Iterator[Network]:
    with open_client(profile, tmp_path / "client") as net:
        yield net


def health_of(net: Network, node: RunningNode) -> NodeHealth:
    return next(one for one in net.health() if one.node == node.identity)


def test_health_of_a_node_has_its_number_of_searches(net: Network, node: RunningNode) -> None:
    wait_for(lambda: health_of(net, node).state == "up", "the node answers")
    before = health_of(net, node)
    assert (before.sequence, before.problem, before.advice) == (1, "", "")
    assert before.published == node.node.chain.manifests.heads(node.identity)[-1].time
    assert before.searches is not None
    net.ask(QUESTION, node_timeout=PATIENT)
    net.ask(QUESTION, node_timeout=PATIENT)
    assert health_of(net, node).searches == before.searches + 2


def test_stopped_node_is_down_with_advice(devnet: Profile, tmp_path: Path) -> None:
    profile = own_network(devnet, "silent")
    with open_client(profile, tmp_path / "client") as net:
        with start_nodes(tmp_path / "node", profile, [DOCUMENTS]) as (node,):
            assert net.views().keys() == {node.identity}
        found = health_of(net, node)
        assert found.state == "down"
        assert "cannot be reached" in found.problem
        assert "start it again" in found.advice
        assert (found.sequence, found.searches) == (1, None)
        assert found.published > 0


@contextmanager
def web_server(replies: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """Run a web server that answers these paths with a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = replies.get(self.path, (404, b"nothing here"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def look(net: Network, node: RunningNode, endpoint: str) -> NodeHealth:
    """Return the health of this node if the node announced that endpoint."""
    known = net.views()[node.identity]
    entry = NodeEntry(node=node.identity, owner="", wallet="", endpoint=endpoint, head=known.entry.head)
    view = NodeView(entry, known.manifest, known.card, known.space)
    with_policy = HttpClient(addresses="loopback")
    try:
        (found,) = with_policy.run(check_health(with_policy, {node.identity: view}, {}, PATIENT))
        return found
    finally:
        with_policy.close()


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (503, b"", "nothing to serve yet"),
        (404, b"", "Something else answers"),
        (200, b"x" * 5000, "Something else answers"),
        (200, b"ok", "Something else answers"),
        (200, b"[" * 900, "Something else answers"),
        (200, b"\xff\xfe", "Something else answers"),
    ],
)
def test_address_without_a_status_is_down(
    net: Network, node: RunningNode, status: int, body: bytes, advice: str
) -> None:
    with web_server({"/v1/status": (status, body)}) as endpoint:
        found = look(net, node, endpoint)
    assert (found.state, found.searches) == ("down", None)
    assert advice in found.advice


def status_of(net: Network, node: RunningNode, **changes: object) -> bytes:
    """Return the status of this node's head with some fields changed."""
    head = net.views()[node.identity].entry.head
    assert head is not None
    plain = {"type": "knet/status/1", "ready": True, "manifest": str(head.manifest), "sequence": 1, "documents": 1}
    return json.dumps({**plain, "chunks": 1, "searches": 5, **changes}).encode()


OTHER = "bafyreibh4fvajx5v4zpprdgbmbvzzwxrvb6a4ntcwrnfxzrqsbxvdqzzlq"


@pytest.mark.parametrize(
    ("changes", "state", "advice"),
    [
        ({}, "up", ""),
        ({"manifest": OTHER}, "behind", "hangs"),
        ({"manifest": None}, "behind", "hangs"),
        ({"ready": False, "manifest": None}, "down", "nothing to serve yet"),
    ],
)
def test_status_gives_the_state_and_the_searches(
    net: Network, node: RunningNode, changes: dict[str, object], state: str, advice: str
) -> None:
    with web_server({"/v1/status": (200, status_of(net, node, **changes))}) as endpoint:
        found = look(net, node, endpoint)
    assert (found.state, found.searches) == (state, 5)
    assert advice in found.advice
    assert bool(advice) == bool(found.advice)


@pytest.mark.parametrize(
    "changes",
    [
        {"searches": -3},
        {"searches": 2**60},
        {"searches": 10**40},
        {"searches": "many"},
        {"manifest": "x"},
        {"type": "x"},
    ],
)
def test_status_with_an_impossible_value_is_refused(
    net: Network, node: RunningNode, changes: dict[str, object]
) -> None:
    with web_server({"/v1/status": (200, status_of(net, node, **changes))}) as endpoint:
        found = look(net, node, endpoint)
    assert (found.state, found.searches) == ("down", None)
    assert found.problem == "Its reply is not the status of a node."


def test_address_outside_the_policy_is_down_with_advice(net: Network, node: RunningNode) -> None:
    found = look(net, node, "http://169.254.169.254")
    assert found.state == "down"
    assert "announce an address" in found.advice


def test_unreadable_publication_is_listed_as_unusable(net: Network) -> None:
    http = HttpClient(addresses="loopback")
    try:
        (found,) = http.run(check_health(http, {}, {7: "its manifest is gone"}))
    finally:
        http.close()
    assert (found.node, found.state, found.problem) == (7, "unusable", "its manifest is gone")
    assert found.advice
