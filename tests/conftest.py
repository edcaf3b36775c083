"""What every test folder may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from knet.chain.anvil import find_anvil
from knet.chain.devchain import fund, start_network, stop_network
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.config import Profile

NO_ANVIL = "Anvil is not installed: run `npm ci` in contracts/, or install Foundry"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "devnet" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.chain)


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """A running development chain with the contracts on it; one for each test process, so tests share its state."""
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
def chain(devnet: Profile) -> EvmChain:
    return EvmChain(devnet.rpc, devnet.deployment)


@pytest.fixture(scope="session")
def new_account(devnet: Profile) -> Callable[[], Signer]:
    """Makes keys that can pay for gas."""

    def make() -> Signer:
        key = new_key()
        fund(devnet.rpc, key.address)
        return key

    return make
