"""What it takes to put ratings on chain, said before it is spent."""

from __future__ import annotations

from collections.abc import Sequence

from ..chain.base import Chain
from ..chain.batches import MAX_NODES
from ..records import Rating, Record
from .stake import missing_wei

# Measured on the development chain (`tests/trust/test_cost.py` holds them to it), for nodes that nobody rated before;
# a node that was rated costs a third.
BATCH_GAS = 75_000
NODE_GAS = 26_000
WITNESS_GAS = 30_000
WITNESS_NODE_GAS = 51_000
BOND_GAS = 50_000


class Cost(Record, frozen=True):
    """An upper estimate: ``gas`` for all transactions, ``fee`` the wei it costs at today's price.

    ``bond`` is the wei that have to be put at stake besides, which come back; ``bonded`` is what is there.
    """

    ratings: int
    nodes: int
    gas: int
    fee: int
    bond: int
    bonded: int


def cost_of(chain: Chain, rater: str, ratings: Sequence[Rating]) -> Cost:
    """The cost of sending ``ratings`` now. Raises ChainUnreachable."""
    standing = chain.standing(rater)
    bond = missing_wei(standing.bond, standing.influence, ratings) if ratings else 0
    nodes = len({rating.receipt.receipt.node for rating in ratings})
    rounds = -(-nodes // MAX_NODES)
    gas = rounds * (BATCH_GAS + WITNESS_GAS) + nodes * (NODE_GAS + WITNESS_NODE_GAS) + (BOND_GAS if bond else 0)
    return Cost(
        ratings=len(ratings), nodes=nodes, gas=gas, fee=gas * chain.gas_price(), bond=bond, bonded=standing.bond
    )
