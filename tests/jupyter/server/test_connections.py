"""Connections that are slow, that end in another process, or that belong to another network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from knet.answer.live import MEDIA_TYPE
from knet.client.network import Network
from knet.config import Profile, save_profile
from knet.errors import Cancelled
from knet_indexer.demo.network import DemoNetwork
from knet_jupyter.server import connections as clients
from knet_jupyter.server.service import WORKERS, Service
from tests.network.clients import PATIENT, wait_for
from tests.network.support import RunningNode

from .conftest import QUESTION

Call = Callable[..., Any]
NAMES = ["a\0b", "a/b", "..", "a\nb", "\u202e", "x" * 300]


@pytest.fixture
def hold(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Event that delays every connection until it is set, like the first start of a demo."""
    hold = threading.Event()
    ready = clients.connect

    def connect(profile: Profile) -> Network:
        hold.wait()
        return ready(profile)

    monkeypatch.setattr(clients, "connect", connect)
    yield hold
    hold.set()
    for thread in threading.enumerate():
        if thread.name.startswith("knet-connect"):
            thread.join(PATIENT)


@pytest.mark.usefixtures("hold")
def test_state_is_served_while_all_workers_wait(
    service: Service,
    jp_serverapp: Any,
    http_server_port: tuple[Any, int],
    jp_fetch: Call,
    jp_asyncio_loop: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A closed connection releases its worker."""
    waiting: list[str] = []
    network = service.clients.network

    def counted(profile: str = "", **options: Any) -> Network:
        waiting.append(profile)
        return network(profile, **options)

    monkeypatch.setattr(service.clients, "network", counted)
    head = (
        f"GET {jp_serverapp.base_url}knet/nodes HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {jp_serverapp.identity_provider.token}\r\n\r\n"
    )

    async def crowd() -> None:
        connections = [await asyncio.open_connection("127.0.0.1", http_server_port[-1]) for _ in range(WORKERS)]
        for _, writer in connections:
            writer.write(head.encode())
        while len(waiting) < WORKERS:
            await asyncio.sleep(0.02)
        assert b'"state":"starting"' in (await jp_fetch("knet", "state")).body
        assert b'"state":"starting"' in (await jp_fetch("knet", "health")).body
        for _, writer in connections:
            writer.close()
        assert (await jp_fetch("knet", "local-nodes")).body == b"[]"

    jp_asyncio_loop.run_until_complete(asyncio.wait_for(crowd(), PATIENT))
    assert service.clients.state().state == "starting"


def test_cancelled_caller_leaves_the_shared_connection_attempt(service: Service, hold: threading.Event) -> None:
    stop, found, stopped = threading.Event(), list[Network](), list[Cancelled]()

    def wait() -> None:
        try:
            service.clients.network(stop=stop)
        except Cancelled as error:
            stopped.append(error)

    threads = [
        threading.Thread(target=wait),
        *(threading.Thread(target=lambda: found.append(service.clients.network())) for _ in range(4)),
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: service.clients.state().state == "starting", "it begins")
    stop.set()
    threads[0].join(PATIENT)
    assert (len(stopped), found) == (1, [])
    hold.set()
    for thread in threads:
        thread.join(PATIENT)
    assert (len(found), len(set(map(id, found)))) == (4, 1)


def test_closing_server_ends_waiting_callers(service: Service, hold: threading.Event) -> None:
    ended: list[Cancelled] = []

    def wait() -> None:
        with pytest.raises(Cancelled) as caught:
            service.clients.network()
        ended.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_for(lambda: service.clients.state().state == "starting", "it begins")
    service.clients.close()
    thread.join(PATIENT)
    assert len(ended) == 1


def test_demo_of_another_process_is_followed_to_its_end(
    service: Service, call: Call, devnet: Profile, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "DemoNetwork", partial(DemoNetwork, owners=[]))
    other, ready = DemoNetwork(owners=[]), home / "networks" / "demo.ready"
    profile = other.start(lambda *said: None)
    found: list[Network] = []
    try:
        ready.unlink()
        asking = threading.Thread(target=lambda: found.append(service.clients.network("demo")))
        asking.start()
        wait_for(lambda: bool(service.clients.state("demo").phases), "it says what it waits for")
        assert service.clients.state("demo").phases[0].phase == "another process is starting it"
        assert found == []
        ready.touch()
        asking.join(PATIENT)
        assert found[0].profile == profile
        save_profile(replace(profile, gateways=["http://127.0.0.1:9"]))
        assert service.clients.network("demo").profile.gateways == ["http://127.0.0.1:9"]
        assert call("health", params={"profile": "demo"})["state"]["state"] == "ready"
    finally:
        other.stop()
    state = call("health", params={"profile": "demo"})["state"]
    assert (state["state"], "has ended" in state["detail"]) == ("failed", True)
    assert call("connect", {"profile": "demo"})["state"] == "ready"  # started here, this time


@pytest.fixture
def elsewhere(nodes: list[RunningNode], home: Path) -> str:
    """The name of a profile of another network on the same chain."""
    profile = nodes[0].node.profile
    deployment = replace(profile.deployment, reliability="0x" + "11" * 20, manifests="0x" + "12" * 20)
    save_profile(replace(profile, name="elsewhere", deployment=deployment))
    return "elsewhere"


def test_answer_is_verified_on_its_own_network(call: Call, answer: dict[str, Any], elsewhere: str) -> None:
    body = {"answer": answer, "profile": elsewhere}
    assert all(check["ok"] for check in call("verify", body)["checks"])
    assert call("custody", body)["published"]["transaction"].startswith("0x")
    assert call("export", {**body, "format": "prov"})["base64"]
    output = {"output_type": "display_data", "data": {MEDIA_TYPE: answer}}
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": [output]}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (report,) = call("verify-notebook", {"notebook": notebook, "profile": elsewhere})
    assert report["question"] == QUESTION
    assert all(check["ok"] for check in report["checks"])
    answer["contract"] = "0x" + "13" * 20  # of an unknown network
    assert not all(check["ok"] for check in call("verify", {"answer": answer})["checks"])


def test_answer_is_exported_as_json_without_a_network(call: Call, answer: dict[str, Any]) -> None:
    assert call("export", {"answer": answer, "format": "json", "profile": "nowhere"})["name"] == "answer.json"


def test_custody_of_a_forged_receipt_shows_a_problem(
    call: Call, answer: dict[str, Any], nodes: list[RunningNode]
) -> None:
    chain_id = nodes[0].node.profile.deployment.chain_id
    honest = call("custody", {"answer": answer})["signed"]
    assert (honest["problem"], honest["signer"] != "") == ("", True)
    found = call("custody", {"answer": {**answer, "chain_id": 1}})
    assert (found["chain_id"], found["signed"]["signer"]) == (chain_id, honest["signer"])
    receipt = answer["receipts"][answer["passages"][0]["provenance"]["receipt"]]["signed"]["receipt"]
    receipt["issued_at"] += 1
    signed = call("custody", {"answer": answer})["signed"]
    assert (signed["signer"], signed["issued_at"]) == ("", 0)
    assert "Not signed for node" in signed["problem"]


@pytest.mark.parametrize("name", NAMES)
def test_invalid_profile_name_is_refused(
    call: Call, refused: Call, events: Call, answer: dict[str, Any], name: str
) -> None:
    bodies = {
        "connect": {},
        "verify": {"answer": answer},
        "custody": {"answer": answer},
        "export": {"answer": answer},
        "ratings": {"answer": answer, "value": 1},
        "ratings/flush": {},
        "local-nodes": {"name": "mine", "folder": "docs"},
    }
    for route, body in bodies.items():
        status, said = refused(route, {**body, "profile": name})
        assert (status, said["reason"]) == (400, "ConfigError"), route
        assert "profile" in said["message"], route
    for route in ("nodes", "overview", "ratings"):
        assert refused(route, params={"profile": name})[0] == 400, route
    for state in (call("state", params={"profile": name}), call("health", params={"profile": name})["state"]):
        assert (state["state"], "profile" in state["detail"]) == ("off", True)
    assert events(profile=name)[-1]["reason"] == "ConfigError"
