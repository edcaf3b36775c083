"""What has to be at stake for ratings to be sent."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..chain.batches import MAX_NODES, WEI_PER_INFLUENCE, StakeStatus
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..errors import ConfigError
from ..records import Rating, Record

WEI = 10**18
MIN_BOND = 10**16  # `Reliability.MIN_BOND`
ANY_WEI = 2**256 - 1  # as a bond: whatever it takes
EPOCH_SECONDS = 7 * 86_400  # `Reliability.EPOCH`


def ensure_stake(chain: EvmChain, signer: Signer, ratings: Sequence[Rating], *, bond: int) -> tuple[int, int]:
    """The influence (hundredths) there is for ratings, and the wei put up for it: what they lack, unless over ``bond``.

    Raises ConfigError, with the command to run, when nothing is at stake.
    """
    standing = chain.reliability.stake(signer.address)
    missing = missing_wei(standing, ratings)
    if 0 < missing <= bond:
        chain.reliability.bond(signer, missing)
        return chain.reliability.stake(signer.address).influence, missing
    if standing.bond < MIN_BOND:
        raise ConfigError(
            f"{signer.address} has {ether(standing.bond)} ether at stake, and rating needs {ether(MIN_BOND)}; "
            f"{len(ratings)} ratings wait.",
            hint=f"Run `knet trust bond {ether(missing)}`; it is yours again ten days after your last batch.",
        )
    return standing.influence, 0


def missing_wei(standing: StakeStatus, ratings: Sequence[Rating]) -> int:
    """What has to be added to a bond for ratings to be sent in this epoch; after a lost one, what it bought counts."""
    weight = standing.spent + sum(abs(rating.value) for rating in ratings)
    return max(MIN_BOND - standing.bond, weight * WEI_PER_INFLUENCE - standing.bond, 0)


def waiting_for_influence(chain: EvmChain, rater: str, ratings: Sequence[Rating], sent: int) -> ConfigError:
    """The error that says why ratings stay queued."""
    standing = chain.reliability.stake(rater)
    missing = missing_wei(standing, ratings)
    new_epoch = time.strftime("%Y-%m-%d", time.gmtime((int(time.time()) // EPOCH_SECONDS + 1) * EPOCH_SECONDS))
    return ConfigError(
        f"{sent} batches were sent; {len(ratings)} ratings wait, since {ether(standing.bond)} ether at stake buys no "
        "more influence in this epoch.",
        hint=f"Wait until {new_epoch}, or run `knet trust bond {ether(missing)}`.",
    )


def ether(wei: int) -> str:
    """Wei as a decimal number of ether."""
    whole, rest = divmod(wei, WEI)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")


# Measured on the development chain (`tests/rating/test_stake.py` holds them to it) for nodes that nobody rated before,
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


def cost_of(chain: EvmChain, rater: str, ratings: Sequence[Rating]) -> Cost:
    """The cost of sending ``ratings`` now. Raises ChainUnreachable."""
    standing = chain.reliability.stake(rater)
    bond = missing_wei(standing, ratings) if ratings else 0
    nodes = len({rating.receipt.receipt.node for rating in ratings})
    gas = -(-nodes // MAX_NODES) * ROUND_GAS + nodes * NODE_GAS + (BOND_GAS if bond else 0)
    return Cost(
        ratings=len(ratings), nodes=nodes, gas=gas, fee=gas * chain.gas_price(), bond=bond, bonded=standing.bond
    )
