"""The embedded network is started by one thread of a program and stopped by another, as a server does."""

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


def test_whatever_has_a_node_in_the_demo_is_installed_wherever_knet_is() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    needed = {Requirement(each).name for each in project["dependencies"]}
    packages = metadata.packages_distributions()
    for spec in {owner.spec for owner in OWNERS if owner.spec and owner.spec != "python:stdlib"}:
        assert needed & set(packages[spec.removeprefix("python:")]), spec


@pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_told_to_end_takes_its_chain_with_it(
    told: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain is what would be left: nodes end with the program that started them."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    command = [sys.executable, "-c", "from knet.cli.main import main; main()", "demo", "--keep", "--no-tour"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as demo:
        while not network_status(NAME).running:
            assert demo.poll() is None
            time.sleep(0.05)
        demo.send_signal(told)
        assert demo.wait(120) == 128 + told
    assert not network_status(NAME).running


@pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)
def test_whichever_thread_stops_it_the_chain_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    network = DemoNetwork(owners=[])
    starting = threading.Thread(target=network.start, args=(lambda *said: None,))
    starting.start()
    starting.join()
    try:
        assert network_status(NAME).running
        with pytest.raises(NodeBusy):
            DemoNetwork(owners=[]).start(lambda *said: None)
    finally:
        network.stop()
    assert not network_status(NAME).running
