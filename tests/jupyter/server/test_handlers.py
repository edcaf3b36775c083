"""The handlers over HTTP under a base URL, with real nodes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from knet.answer.live import MEDIA_TYPE
from knet.codec import cid_of, from_json
from knet.config import Profile, save_profile
from knet.records import Answer
from knet_indexer.config import NodeConfig, node_home
from knet_indexer.node import create_node
from knet_jupyter.server.service import Service
from tests.network.clients import PATIENT, wait_for
from tests.network.support import RunningNode

from .conftest import QUESTION

Call = Callable[..., Any]


def test_state_does_not_connect(call: Call) -> None:
    state = call("state")
    assert (state["profile"], state["state"], state["address"]) == ("jupyter", "off", "")
    assert state["profiles"] == ["demo", "jupyter"]
    state = call("connect", {})
    assert (state["state"], state["development"]) == ("ready", True)
    assert state["address"].startswith("0x")


def test_missing_network_is_refused_with_a_hint(call: Call, refused: Call, home: Path) -> None:
    (home / "default").unlink()
    assert "knet network up" in call("state")["detail"]
    status, message = refused("nodes")
    assert status == 400
    assert "No network is configured" in message["message"]


def test_changed_profile_is_connected_again(call: Call, service: Service, nodes: list[RunningNode]) -> None:
    first = service.clients.network()
    assert service.clients.network() is first
    save_profile(replace(nodes[0].node.profile, gateways=["http://127.0.0.1:9"]))
    second = service.clients.network()
    assert second is not first
    assert second.profile.gateways == ["http://127.0.0.1:9"]
    assert call("state")["state"] == "ready"


def test_question_streams_its_events(events: Call) -> None:
    received = events()
    assert [event["event"] for event in received] == ["started", "asking", "node", "node", "answer"]
    assert {node["node"] for node in received[1]["nodes"]} == {event["node"]["node"] for event in received[2:4]}
    assert {event["node"]["status"] for event in received[2:4]} == {"success"}
    answer = from_json(json.dumps(received[-1]["answer"]), Answer)
    assert answer.passages[0].title == "beaver.md" or "beaver" in answer.passages[0].uri
    assert received[-1]["id"] == str(cid_of(answer))
    assert received[-1]["html"].startswith("<div")


def test_filters_reach_the_network(events: Call, nodes: list[RunningNode]) -> None:
    only = events(nodes=[nodes[1].identity], k=1)[-1]["answer"]
    assert [passage["provenance"]["node"] for passage in only["passages"]] == [nodes[1].identity]
    assert events(private=True)[-1]["answer"]["private"] is True
    assert events(min_reliability=0.9)[-1]["answer"]["passages"] == []


def test_invalid_question_ends_with_an_error_event(events: Call) -> None:
    last = events("  ")[-1]
    assert (last["event"], last["reason"]) == ("error", "ConfigError")
    assert events(profile="nowhere")[-1]["event"] == "error"


@pytest.fixture
def held(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Block the client's worker pool, like a slow download of a collection; a cancellation does not wait."""
    hold = threading.Event()
    shelf = service.clients.network()._collector._collections
    load = shelf.load
    monkeypatch.setattr(shelf, "load", lambda manifest, source: load(manifest, _Held(source, hold)))
    yield
    hold.set()


@pytest.mark.usefixtures("held")
def test_closed_connection_cancels_the_question(
    service: Service, jp_serverapp: Any, http_server_port: tuple[Any, int], call: Call, jp_asyncio_loop: Any
) -> None:
    assert call("state")["state"] == "ready"
    body = json.dumps({"question": QUESTION, "private": True}).encode()
    head = (
        f"POST {jp_serverapp.base_url}knet/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: token {jp_serverapp.identity_provider.token}\r\n\r\n"
    )

    async def leave() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", http_server_port[-1])
        writer.write(head.encode() + body)
        message = b""
        while b'"asking"' not in message:
            message += await reader.read(1 << 16)
        assert service._asking
        writer.close()
        while service._asking:
            await asyncio.sleep(0.05)

    jp_asyncio_loop.run_until_complete(asyncio.wait_for(leave(), PATIENT))


@pytest.mark.usefixtures("held")
def test_stop_cancels_the_question_on_the_server(jp_fetch: Call, jp_asyncio_loop: Any) -> None:
    lines: list[dict[str, Any]] = []
    stopped: list[Any] = []

    def hear(chunk: bytes) -> None:
        lines.extend(json.loads(line) for line in chunk.decode().splitlines())
        if lines[-1]["event"] == "asking":
            body = json.dumps({"id": lines[0]["id"]})
            stopped.append(asyncio.ensure_future(jp_fetch("knet", "stop", method="POST", body=body)))

    async def ask() -> None:
        body = json.dumps({"question": QUESTION, "private": True})
        await jp_fetch("knet", "ask", method="POST", body=body, streaming_callback=hear, request_timeout=60)

    jp_asyncio_loop.run_until_complete(ask())
    assert lines[-1]["event"] == "stopped"
    assert json.loads(jp_asyncio_loop.run_until_complete(stopped[0]).body) == {"stopped": True}


class _Held:
    """Block source that waits for an event."""

    def __init__(self, source: Any, hold: threading.Event) -> None:
        self._source, self._hold = source, hold

    def get(self, cid: Any) -> bytes:
        self._hold.wait(60)
        data: bytes = self._source.get(cid)
        return data


def test_stop_of_an_unknown_question_is_accepted(call: Call) -> None:
    assert call("stop", {"id": "gone"}) == {"stopped": False}


def test_answer_verifies_and_changed_one_fails(call: Call, answer: dict[str, Any]) -> None:
    checks = call("verify", {"answer": answer})["checks"]
    assert checks
    assert all(check["ok"] for check in checks)
    answer["passages"][0]["text"] = answer["passages"][0]["text"].replace("mud", "gold")
    failed = [check for check in call("verify", {"answer": answer})["checks"] if check["ok"] is False]
    assert {"in_manifest", "exact_text"} <= {check["kind"] for check in failed}
    assert {check["passage"] for check in failed if check["kind"] == "exact_text"} == {1}


def test_notebook_is_verified_with_its_shown_text(call: Call, events: Call) -> None:
    received = events()[-1]
    shown = {MEDIA_TYPE: received["answer"], "text/html": received["html"], "text/plain": received["text"]}
    cell = {
        "cell_type": "code",
        "source": "",
        "metadata": {},
        "outputs": [{"output_type": "display_data", "data": shown}],
    }
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "markdown"}, cell]}
    (report,) = call("verify-notebook", {"notebook": notebook})
    assert (report["cell"], report["question"]) == (1, QUESTION)
    assert all(check["ok"] for check in report["checks"])
    shown["text/html"] = shown["text/html"].replace("mud", "gold")
    (report,) = call("verify-notebook", {"notebook": notebook})
    assert [check["ok"] for check in report["checks"]].count(False) == 1


def test_custody_leads_from_the_span_to_the_transaction(
    call: Call, refused: Call, answer: dict[str, Any], nodes: list[RunningNode]
) -> None:
    found = call("custody", {"answer": answer, "passage": 1})
    node = next(n for n in nodes if n.identity == answer["passages"][0]["provenance"]["node"])
    assert found["endpoint"] == node.endpoint
    assert found["context"]["problem"] == ""
    assert found["published"]["transaction"].startswith("0x")
    assert found["published"]["newest"] is True
    assert found["signed"]["signer"] == found["owner"] == node.node.signer.address
    assert refused("custody", {"answer": answer, "passage": 99})[0] == 400


def test_custody_of_a_changed_passage_names_the_difference(call: Call, answer: dict[str, Any]) -> None:
    answer["passages"][0]["text"] = "A beaver is a fish."
    assert "another text" in call("custody", {"answer": answer})["context"]["problem"]


def test_answers_are_exported_as_prov_crate_and_json(call: Call, refused: Call, answer: dict[str, Any]) -> None:
    prov = call("export", {"answer": answer, "format": "prov"})
    assert "@graph" in json.loads(base64.b64decode(prov["base64"]))
    crate = call("export", {"answer": answer, "format": "ro-crate"})
    assert "ro-crate-metadata.json" in zipfile.ZipFile(io.BytesIO(base64.b64decode(crate["base64"]))).namelist()
    plain = call("export", {"answer": answer, "format": "json"})
    assert from_json(base64.b64decode(plain["base64"]), Answer) == from_json(json.dumps(answer), Answer)
    assert refused("export", {"answer": answer, "format": "exe"})[0] == 400


def test_rating_is_queued_and_sent_at_the_shown_cost(call: Call, refused: Call, answer: dict[str, Any]) -> None:
    node = answer["passages"][0]["provenance"]["node"]
    before = {info["node"]: info for info in call("nodes")}[node]
    assert call("ratings")["ratings"] == []
    pending = call("ratings", {"answer": answer, "value": 1, "passage": 1})
    assert [(one["node"], one["value"]) for one in pending["ratings"]] == [(node, 100)]
    mistaken = pending["ratings"][0]["receipt"]
    assert call("ratings/withdraw", {"receipt": mistaken})["ratings"] == []
    assert refused("ratings/withdraw", {"receipt": mistaken})[0] == 400
    pending = call("ratings", {"answer": answer, "value": 1, "passage": 1})
    cost = pending["cost"]
    assert (cost["ratings"], cost["nodes"], cost["bonded"]) == (1, 1, 0)
    assert cost["gas"] > 0
    assert cost["bond"] > 0
    assert len(call("ratings/flush", {})["transactions"]) == 1
    assert call("ratings")["ratings"] == []
    after = {info["node"]: info for info in call("nodes")}[node]
    assert after["reliability"] > before["reliability"]
    mine = {one["node"]: one for one in call("overview")["rated"]}[node]
    assert (mine["positive"], mine["count"]) == (1.0, 1)
    assert mine["why"].startswith("you trust")


def test_overview_places_every_node(call: Call, nodes: list[RunningNode]) -> None:
    found = call("overview")
    (topics,) = found["maps"]
    assert {region["node"] for region in topics["regions"]} == {node.identity for node in nodes}
    assert all(-1 <= region[axis] <= 1 for region in topics["regions"] for axis in ("x", "y"))


@pytest.mark.parametrize("body", ["", "[]", "nonsense", '{"answer": {}}', '{"answer": 5}', "[" * 100_000])
@pytest.mark.parametrize("route", ["verify", "custody", "export", "ratings"])
def test_malformed_answer_is_refused(refused: Call, route: str, body: str) -> None:
    status, message = refused(route, body)
    assert (status, message["reason"]) == (400, "CodecError")


def test_replies_hold_no_key(fetch: Call, answer: dict[str, Any], home: Path) -> None:
    call = fetch("connect", {}).body.decode()
    replies = [
        call,
        *(fetch(route).body.decode() for route in ("state", "nodes", "overview", "ratings", "local-nodes")),
    ]
    keys = [path.read_text().strip() for path in home.rglob("*.key")]
    assert keys
    assert not [key for key in keys for reply in [*replies, json.dumps(answer)] if key in reply]


def test_tabs_and_kernels_share_one_client(service: Service, nodes: list[RunningNode]) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(service.clients.network())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_failed_connection_is_reported_and_retried(
    call: Call, refused: Call, nodes: list[RunningNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile: Profile = nodes[0].node.profile
    save_profile(replace(profile, name="broken", rpc="nonsense"))
    status, _ = refused("connect", {"profile": "broken"})
    assert status == 400
    state = call("state", params={"profile": "broken"})
    assert state["state"] == "failed"
    assert "URL of a chain's RPC" in state["detail"]
    save_profile(replace(profile, name="broken"))
    assert call("connect", {"profile": "broken"})["state"] == "ready"


def test_health_covers_nodes_and_starts_nothing(call: Call, nodes: list[RunningNode], home: Path) -> None:
    create_node(node_home("mine"), NodeConfig(name="mine", profile="jupyter", port=1))
    snapshot = call("health")
    assert (snapshot["state"]["state"], snapshot["nodes"]) == ("off", [])
    assert [(node["name"], node["state"]) for node in snapshot["local_nodes"]] == [("mine", "off")]
    call("connect", {})
    snapshot = call("health")
    assert snapshot["state"]["state"] == "ready"
    assert {node["node"] for node in snapshot["nodes"]} == {node.identity for node in nodes}
    assert {node["title"] for node in snapshot["nodes"]} == {node.node.name for node in nodes}
    assert all(node["published"] > 0 for node in snapshot["nodes"])


def test_local_node_started_elsewhere_is_reported(
    call: Call, nodes: list[RunningNode], home: Path, service: Service
) -> None:
    port = int(nodes[0].endpoint.rpartition(":")[2])
    create_node(node_home("mine"), NodeConfig(name="mine", profile="jupyter", port=port))
    call("connect", {})

    def state() -> str:
        found: str = call("health")["local_nodes"][0]["state"]
        return found

    wait_for(lambda: state() == "elsewhere", "the node that answers is known to be mine")
