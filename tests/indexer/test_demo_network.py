"""The embedded network is started by one thread of a program and stopped by another, as a server does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from knet.chain.anvil import find_anvil
from knet.chain.devchain import network_status
from knet.errors import NodeBusy
from knet_indexer.demo.network import NAME, DemoNetwork
from tests.conftest import NO_ANVIL

pytestmark = pytest.mark.chain


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
