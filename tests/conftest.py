"""Fixtures for every test folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from knet import redaction
from knet.chain.anvil import find_anvil
from knet.chain.devchain import fund, start_network, stop_network
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.config import Profile

from .ipfs.peers import HERE, install, js_ipfs
from .small_network import net, nodes, profile  # noqa: F401  fixtures for every surface

NO_ANVIL = "Anvil is not installed: run `npm ci` in contracts/, or install Foundry"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "devnet" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.chain)


@pytest.fixture(autouse=True)
def fresh_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the keys that earlier tests had removed from all texts of this process."""
    monkeypatch.setattr(redaction, "_secrets", ())


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """Running development chain with the contracts; one for each test process, so tests share its state."""
    if find_anvil() is None:
        pytest.skip(NO_ANVIL)
    home = str(tmp_path_factory.mktemp("devnet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", home)
        profile = start_network("tests", default=False)
    yield profile
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", home)
        stop_network("tests")


@pytest.fixture(scope="session")
def kubo_rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Multiaddr of the RPC of an IPFS daemon without peers.

    The daemon is js-ipfs, which npm can install and whose RPC is Kubo's; KNET_TEST_KUBO names another, as
    /ip4/127.0.0.1/tcp/5001.
    """
    if "KNET_TEST_KUBO" in os.environ:
        yield os.environ["KNET_TEST_KUBO"]
        return
    # not `npm ci`, which fails on optional packages from elsewhere than npm that a lock file cannot hold
    install(HERE / "daemon", "install", "--no-save", "--omit=optional")
    with js_ipfs(tmp_path_factory.mktemp("ipfs")) as address:
        yield address


@pytest.fixture(scope="session")
def chain(devnet: Profile) -> EvmChain:
    return EvmChain(devnet.rpc, devnet.deployment)


@pytest.fixture(scope="session")
def new_account(devnet: Profile) -> Callable[[], Signer]:
    """Function that returns a new key with money for gas."""

    def make() -> Signer:
        key = new_key()
        fund(devnet.rpc, key.address)
        return key

    return make
