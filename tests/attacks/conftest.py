"""Network of this folder's tests: two honest nodes, and a hostile one behind a tampering server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from knet.chain.evm import EvmChain
from knet.client.network import Network
from knet.config import Profile
from knet.records import Answer, NodeStatus
from knet.routing import follower
from knet.routing.large import large_directory
from tests.network.clients import open_client, own_network, status_of, wait_for
from tests.network.support import RunningNode, start_nodes

from .support import Impostor, Liar, honest, impostor

QUESTION = "How long does a heron stand still before it strikes a fish?"
HONEST = [
    {
        "heron.md": "A grey heron stands still for many minutes before it strikes a fish with its long beak.",
        "nest.md": "Herons nest together in tall trees close to the water, often for decades in the same place.",
    },
    {
        "fishing.md": "How long a heron waits for a fish depends on the light. It strikes within a tenth of a second.",
        "stork.md": "A stork walks through wet meadows and looks for frogs, unlike a heron that stands still.",
    },
]
HOSTILE = {
    "strike.md": "Before a heron strikes it stands still and bends its neck. The fish does not see it come.",
    "winter.md": "In hard winters a heron finds no open water and many of them starve before spring.",
    "eggs.md": "The pale blue eggs of a heron are laid in early spring and hatch after four weeks.",
    "wings.md": "A heron flies with slow strokes of its broad wings and with its neck drawn in.",
}


@dataclass
class Stage:
    """The honest nodes, the hostile node and its tampering server."""

    profile: Profile
    honest: list[RunningNode]
    hostile: RunningNode
    proxy: Impostor
    liar: Liar

    def check(self, answer: Answer) -> NodeStatus:
        """Return the status of the hostile node; all other nodes, and only they, must be in the answer."""
        assert answer.found
        for node in self.honest:
            assert status_of(answer.nodes, node.identity).status == "success"
        assert {passage.provenance.node for passage in answer.passages} == {node.identity for node in self.honest}
        return status_of(answer.nodes, self.hostile.identity)


@pytest.fixture(scope="session")
def running_stage(devnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    profile = own_network(devnet, "attacks")
    with start_nodes(tmp_path_factory.mktemp("attacks"), profile, [*HONEST, HOSTILE]) as nodes:
        *good, bad = nodes
        with impostor(bad.endpoint) as proxy:
            EvmChain(profile.rpc, profile.deployment).identity.set_endpoint(bad.node.signer, bad.identity, proxy.url)
            yield Stage(profile, good, bad, proxy, Liar(bad.node.signer, profile.deployment))


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """The network, in which every node is honest until the test changes it."""
    running_stage.proxy.behave = honest
    running_stage.proxy.seen.clear()
    yield running_stage
    running_stage.proxy.behave = honest


@pytest.fixture(params=["small", "large"])
def network_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test on the directory of a small network, and on that of a network beyond the threshold."""
    if request.param == "large":
        for module in (follower, large_directory):
            monkeypatch.setattr(module, "MAX_FULL_CARDS", 1)


@pytest.fixture
def net(stage: Stage, tmp_path: Path, network_size: None) -> Iterator[Network]:
    """New client that has read the network."""
    with open_client(stage.profile, tmp_path) as net:
        usable = len(stage.honest) + 1
        wait_for(lambda: sum(not info.problem for info in net.nodes()) == usable, "every card is read")
        yield net
