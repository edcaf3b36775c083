"""Start and stop of the embedded demo network."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from knet.chain.anvil import find_anvil
from knet.chain.devchain import network_status
from knet.errors import NodeBusy
from knet_indexer.demo.network import NAME, DemoNetwork
from knet_indexer.demo.owners import OWNERS
from tests.conftest import NO_ANVIL

pytestmark = pytest.mark.chain


def test_demo_packages_are_dependencies_of_knet() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    needed = {Requirement(each).name for each in project["dependencies"]}
    packages = metadata.packages_distributions()
    for spec in {owner.spec for owner in OWNERS if owner.spec and owner.spec != "python:stdlib"}:
        assert needed & set(packages[spec.removeprefix("python:")]), spec


@pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_demo_ended_by_a_signal_stops_its_chain(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain would be left over: nodes end with the program that started them."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    command = [sys.executable, "-c", "from knet.cli.main import main; main()", "demo", "--keep", "--no-tour"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as demo:
        while not network_status(NAME).running:
            assert demo.poll() is None
            time.sleep(0.05)
        demo.send_signal(number)
        assert demo.wait(120) == 128 + number
    assert not network_status(NAME).running


def test_signal_that_a_finalizer_swallows_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import os, signal, time
from knet_indexer.demo import command

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)  # Python calls the handler here, and drops what it raises

command.REPEATED_SECONDS = 0.2
command._exit_on_signals()
Finalized()
time.sleep(60)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=50, check=False)
    assert ended.returncode == 128 + signal.SIGTERM
    assert b"Exception ignored" in ended.stderr


@pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)
def test_network_stopped_from_another_thread_stops_its_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    network = DemoNetwork(owners=[])
    starting = threading.Thread(target=network.start, args=(lambda *_: None,))
    starting.start()
    starting.join()
    try:
        assert network_status(NAME).running
        with pytest.raises(NodeBusy):
            DemoNetwork(owners=[]).start(lambda *_: None)
    finally:
        network.stop()
    assert not network_status(NAME).running
