"""Estimate of the cost of ratings against the gas that is spent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.chain.evm import EvmChain
from knet.client.network import Network
from knet.config import Profile
from knet.rating.stake import MIN_BOND
from tests.network.clients import PATIENT, open_client, own_network
from tests.network.support import start_nodes

COLLECTIONS = [{f"{name}.md": f"The {name} is described in full on this page."} for name in ("oboe", "harp", "lute")]


@pytest.fixture
def net(devnet: Profile, tmp_path: Path) -> Iterator[Network]:
    profile = own_network(devnet)
    with start_nodes(tmp_path / "nodes", profile, COLLECTIONS), open_client(profile, tmp_path / "client") as net:
        yield net


def gas_spent(chain: EvmChain, account: str, since: int) -> int:
    """Return the gas of all transactions of an account in blocks after ``since``."""
    spent = 0
    for number in range(since + 1, chain.block_number() + 1):
        for sent in chain.rpc.request("eth_getBlockByNumber", [hex(number), True])["transactions"]:
            if sent["from"].lower() == account.lower():
                spent += int(chain.rpc.request("eth_getTransactionReceipt", [sent["hash"]])["gasUsed"], 16)
    return spent


@pytest.mark.parametrize("nodes", [1, 3])
def test_cost_estimate_covers_the_spent_gas_closely(net: Network, nodes: int) -> None:
    assert isinstance(net.chain, EvmChain)
    assert net.ratings.cost().ratings == 0
    answer = net.ask("What is described on this page?", max_nodes="all", k=8, node_timeout=PATIENT)
    for number in range(1, nodes + 1):
        net.rate(answer, 1.0, passage=number)
    cost = net.ratings.cost()
    assert (cost.ratings, cost.nodes, cost.bonded, cost.bond) == (nodes, nodes, 0, MIN_BOND)
    assert cost.fee == cost.gas * net.chain.gas_price()
    before = net.chain.block_number()
    net.ratings.flush()
    spent = gas_spent(net.chain, net.address, before)
    assert spent <= cost.gas <= 1.5 * spent


def test_existing_bond_is_not_requested_again(net: Network) -> None:
    answer = net.ask("What is described on this page?", max_nodes="all", node_timeout=PATIENT)
    net.rate(answer, 1.0, passage=1)
    net.ratings.flush()
    net.rate(net.ask("Which harp is described?", max_nodes="all", node_timeout=PATIENT), 1.0, passage=1)
    cost = net.ratings.cost()
    assert (cost.bonded, cost.bond) == (MIN_BOND, 0)
