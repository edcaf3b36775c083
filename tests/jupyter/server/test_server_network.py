"""Kernels that use the client of their server, or their own client without a server."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from knet.client import shared
from knet.errors import ConfigError, DeadlineExceeded, TransportError
from knet_jupyter.kernel.server_network import ServerNetwork, server_network
from knet_jupyter.protocol import FOLDER_VARIABLE, SOCKET_FILE
from knet_jupyter.server.service import Service

from .conftest import PATIENT, QUESTION

pytestmark = pytest.mark.network

T = TypeVar("T")
Kernel = Callable[[Callable[[], T]], T]


@pytest.fixture
def kernel(service: Service, jp_asyncio_loop: Any) -> Kernel[Any]:
    """Run a kernel's code while the server serves; a connection of the kernel's own client fails."""
    return lambda does: jp_asyncio_loop.run_until_complete(asyncio.to_thread(does))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError("the kernel made a connection of its own")

    monkeypatch.setattr("knet.client.network.connect", refuse)


def through() -> ServerNetwork:
    found = server_network("")
    assert found is not None
    return found


def test_kernel_uses_the_client_of_its_server(kernel: Kernel[Any], service: Service) -> None:
    statuses, asked = [], []

    def does() -> None:
        network = shared.shared_network()
        answer = network.ask(
            QUESTION,
            max_nodes="all",
            node_timeout=PATIENT,
            on_status=statuses.append,
            on_selected=lambda nodes: asked.extend(nodes),
        )
        assert answer.passages[0].uri.endswith("beaver.md")
        assert answer.verify().failed == []
        assert [rating.value for rating in answer.rate(1, passage=1)] == [100]
        assert sum(info.documents for info in network.nodes()) == 3
        assert network.profile.name == "jupyter"
        assert len(network.ratings.flush()) == 1

    kernel(does)
    assert len(statuses) == len(asked) == 2
    client = service.clients.connected()
    assert client is not None
    assert client.ratings.pending() == []


def test_errors_keep_their_class(kernel: Kernel[Any], service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any, **__: Any) -> None:
        raise DeadlineExceeded("The node is late.")

    def does() -> None:
        with pytest.raises(ConfigError, match="The question is empty"):
            through().ask(" ")
        with pytest.raises(ConfigError, match="node_timeout is seconds"):
            through().ask(QUESTION, node_timeout=-1)
        answer = through().ask(QUESTION, node_timeout=PATIENT)
        with pytest.raises(ConfigError):
            answer.rate(5)
        monkeypatch.setattr(service.clients.connected(), "verify", late)
        with pytest.raises(DeadlineExceeded, match="The node is late"):
            answer.verify()

    kernel(does)


def test_interrupted_kernel_cancels_its_question(
    kernel: Kernel[Any], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawn = threading.Event()

    def slow(*_: Any, cancel: threading.Event, on_selected: Any, **__: Any) -> None:
        on_selected([])
        if cancel.wait(60):
            withdrawn.set()

    class Interrupted(Exception): ...

    def interrupt(_: Any) -> None:
        raise Interrupted

    def does() -> None:
        through().nodes()
        client = service.clients.connected()
        monkeypatch.setattr(client, "ask", slow)
        with pytest.raises(Interrupted):
            through().ask(QUESTION, on_selected=interrupt)
        assert withdrawn.wait(60)

    kernel(does)


def test_options_beyond_json_use_the_kernels_own_client(kernel: Kernel[Any]) -> None:
    def does() -> None:
        with pytest.raises(AssertionError, match="of its own"):
            through().ask(QUESTION, model=object())

    kernel(does)


def test_socket_is_private_to_the_user(service: Service) -> None:
    folder = Path(os.environ[FOLDER_VARIABLE])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / SOCKET_FILE).stat().st_mode) == 0o600


def test_kernel_with_another_home_uses_its_own_client(
    kernel: Kernel[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "other"))
    assert kernel(lambda: server_network("")) is None


def test_kernel_without_a_server_uses_its_own_client(
    kernel: Kernel[Any], jp_serverapp: Any, jp_asyncio_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension = next(iter(jp_serverapp.extension_manager.extension_apps["knet_jupyter"]))
    network, place = kernel(through), os.environ[FOLDER_VARIABLE]
    jp_asyncio_loop.run_until_complete(extension.stop_extension())
    assert FOLDER_VARIABLE not in os.environ
    assert not Path(place).exists()
    monkeypatch.setenv(FOLDER_VARIABLE, place)
    assert server_network("") is None
    with pytest.raises(TransportError, match="does not answer"):
        network.ask(QUESTION)
