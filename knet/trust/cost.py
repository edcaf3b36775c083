"""What it takes to put ratings on chain, said before it is spent."""

from __future__ import annotations

from collections.abc import Sequence

from ..chain.base import Chain
from ..chain.batches import MAX_NODES
from ..records import Rating, Record
from .stake import missing_wei

# Measured on the development chain (`tests/trust/test_cost.py` holds them to it) for nodes that nobody rated before,
# whose wallets have to be witnessed first; one that was rated takes about a
# tenth (contracts/snapshots).
ROUND_GAS = 85_000
NODE_GAS = 102_000
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
    bond = missing_wei(standing, ratings) if ratings else 0
    nodes = len({rating.receipt.receipt.node for rating in ratings})
    gas = -(-nodes // MAX_NODES) * ROUND_GAS + nodes * NODE_GAS + (BOND_GAS if bond else 0)
    return Cost(
        ratings=len(ratings), nodes=nodes, gas=gas, fee=gas * chain.gas_price(), bond=bond, bonded=standing.bond
    )
