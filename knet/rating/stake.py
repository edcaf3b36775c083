"""Bond and cost of sending ratings."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..chain.batches import MAX_NODES, WEI_PER_INFLUENCE, StakeStatus
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..chain.reliability import EPOCH_SECONDS
from ..errors import ConfigError
from ..records import Rating, Record

WEI = 10**18
MIN_BOND = 10**16  # `Reliability.MIN_BOND`
ANY_WEI = 2**256 - 1  # a bond without a limit


def ensure_stake(chain: EvmChain, signer: Signer, ratings: Sequence[Rating], *, bond: int) -> tuple[int, int]:
    """Return the influence (hundredths) available for ratings, and the wei bonded for it.

    Bonds the missing wei unless they exceed ``bond``. Raises ConfigError, with the command to run, while the bond is
    below the minimum.
    """
    stake = chain.reliability.stake(signer.address)
    missing = missing_wei(stake, ratings)
    if 0 < missing <= bond:
        chain.reliability.bond(signer, missing)
        return chain.reliability.stake(signer.address).influence, missing
    if stake.bond < MIN_BOND:
        raise ConfigError(
            f"{signer.address} has {ether(stake.bond)} ether at stake, and rating needs {ether(MIN_BOND)}; "
            f"{len(ratings)} ratings wait.",
            hint=f"Run `knet trust bond {ether(missing)}`; it is yours again ten days after your last batch.",
        )
    return stake.influence, 0


def missing_wei(stake: StakeStatus, ratings: Sequence[Rating]) -> int:
    """Return the wei to add to a bond for ratings to be sent in this epoch.

    Influence that a lost bond bought in this epoch counts as spent.
    """
    weight = stake.spent + sum(abs(rating.value) for rating in ratings)
    return max(MIN_BOND - stake.bond, weight * WEI_PER_INFLUENCE - stake.bond, 0)


def waiting_for_influence(chain: EvmChain, rater: str, ratings: Sequence[Rating], sent: int) -> ConfigError:
    """Return the error that says why ratings stay queued."""
    stake = chain.reliability.stake(rater)
    missing = missing_wei(stake, ratings)
    new_epoch = time.strftime("%Y-%m-%d", time.gmtime((int(time.time()) // EPOCH_SECONDS + 1) * EPOCH_SECONDS))
    return ConfigError(
        f"{sent} batches were sent; {len(ratings)} ratings wait, since {ether(stake.bond)} ether at stake buys no "
        "more influence in this epoch.",
        hint=f"Wait until {new_epoch}, or run `knet trust bond {ether(missing)}`.",
    )


def ether(wei: int) -> str:
    """Return wei as a decimal number of ether."""
    whole, rest = divmod(wei, WEI)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")


# Measured on the development chain (`tests/rating/test_stake.py` checks them) for nodes without an earlier rating,
# whose wallets have to be recorded first; a node with ratings takes about a tenth (contracts/snapshots).
ROUND_GAS = 85_000
NODE_GAS = 102_000
BOND_GAS = 50_000


class Cost(Record, frozen=True):
    """Upper estimate: ``gas`` for all transactions, ``fee`` the wei that the gas costs at today's price.

    ``bond`` is the wei to bond in addition, which the rater gets back; ``bonded`` is the present bond.
    """

    ratings: int
    nodes: int
    gas: int
    fee: int
    bond: int
    bonded: int


def cost_of(chain: EvmChain, rater: str, ratings: Sequence[Rating]) -> Cost:
    """Return the cost of sending ``ratings`` now. Raises ChainUnreachable."""
    stake = chain.reliability.stake(rater)
    bond = missing_wei(stake, ratings) if ratings else 0
    nodes = len({rating.receipt.receipt.node for rating in ratings})
    gas = -(-nodes // MAX_NODES) * ROUND_GAS + nodes * NODE_GAS + (BOND_GAS if bond else 0)
    return Cost(ratings=len(ratings), nodes=nodes, gas=gas, fee=gas * chain.gas_price(), bond=bond, bonded=stake.bond)
