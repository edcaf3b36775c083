"""A Jupyter server with the extension and a small network of real nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError, HTTPResponse

from knet.chain.keys import load_or_create_key
from knet.client.network import Network
from knet.config import Profile, save_profile
from knet_jupyter.server import connections as clients
from knet_jupyter.server.service import Service
from tests.network.clients import PATIENT, open_client, own_network
from tests.network.support import RunningNode, start_nodes

EVIL_TITLE = '<img src=x onerror="alert(1)">'
COLLECTIONS = [
    {
        "beaver.md": "A beaver builds a dam of branches, mud and stones across a stream to raise its water.",
        "lodge.md": "The lodge of a beaver has its entrance under water, where wolves do not follow.",
    },
    {"otter.md": "An otter builds no dam. It lives in burrows along the stream and eats fish."},
]
QUESTION = "How does a beaver build a dam?"

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def nodes(devnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    with start_nodes(tmp_path_factory.mktemp("jupyter"), own_network(devnet, "jupyter"), COLLECTIONS) as nodes:
        yield nodes


@pytest.fixture
def home(nodes: list[RunningNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The knet folder of a user of these nodes' network, with the tests' embedder instead of a model."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "knet"))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    save_profile(nodes[0].node.profile, default=True)

    def connect(profile: Profile) -> Network:
        return open_client(profile, tmp_path / "knet", signer=load_or_create_key(profile.path("key")))

    monkeypatch.setattr(clients, "connect", connect)
    return tmp_path / "knet"


@pytest.fixture
def jp_server_config(home: Path) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"knet_jupyter": True, "jupyter_server_terminals": False},
            "allow_unauthenticated_access": False,
        }
    }


@pytest.fixture
def jp_base_url() -> str:
    return "/user/abc/"


@pytest.fixture
def service(jp_serverapp: Any) -> Iterator[Service]:
    """The state that the handlers share."""
    apps = jp_serverapp.extension_manager.extension_apps["knet_jupyter"]
    service: Service = next(iter(apps)).service
    yield service
    service.close()


@pytest.fixture
def fetch(service: Service, jp_fetch: Call, jp_asyncio_loop: Any) -> Call:
    """Send one request and wait for the reply."""

    def send(route: str, body: Any = None, **options: Any) -> HTTPResponse:
        if body is not None:
            options |= {"method": "POST", "body": body if isinstance(body, str) else json.dumps(body)}
        return jp_asyncio_loop.run_until_complete(jp_fetch("knet", *route.split("/"), request_timeout=120, **options))

    return send


@pytest.fixture
def call(fetch: Call) -> Call:
    """Send one request and return the reply's JSON."""
    return lambda route, body=None, **options: json.loads(fetch(route, body, **options).body)


@pytest.fixture
def refused(fetch: Call) -> Call:
    """Send one request that must fail; return its status and JSON."""

    def send(route: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        with pytest.raises(HTTPClientError) as caught:
            fetch(route, body, **options)
        assert caught.value.response is not None
        return caught.value.code, json.loads(caught.value.response.body)

    return send


@pytest.fixture
def events(fetch: Call) -> Call:
    """Ask a question and return all events of its stream."""

    def ask(question: str = QUESTION, **options: Any) -> list[dict[str, Any]]:
        reply = fetch("ask", {"question": question, "max_nodes": "all", "node_timeout": PATIENT, **options})
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        assert reply.headers["X-Accel-Buffering"] == "no"
        return [json.loads(line) for line in reply.body.decode().splitlines()]

    return ask


@pytest.fixture
def answer(events: Call) -> dict[str, Any]:
    """An answer as JSON."""
    found: dict[str, Any] = events()[-1]["answer"]
    return found
