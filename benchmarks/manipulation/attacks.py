"""Ways to spend an attacker's bond: each a list of (account, ratings by node)."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.manipulation.people import RatingSums, Town
from knet.chain.keys import Signer

WEI_PER_VERDICT = 10**15
PARTS = 10  # accounts that a bond is split over
PUPPETS = 10  # nodes without content that take the filling

Spending = list[tuple[Signer, int, RatingSums]]  # account, its bond in wei, what it says
Attack = Callable[[Town, int, int], Spending]  # town, the node it is about, wei


def bad_mouthing() -> dict[str, Attack]:
    """Attacks that take places from a node."""
    return {
        "one account": lambda town, node, wei: one(town, wei, {node: -1.0}),
        "praise of rivals": lambda town, node, wei: one(town, wei, dict.fromkeys(rivals(town, node), 1.0)),
        "ten accounts, both": lambda town, node, wei: several(
            town, wei, dict.fromkeys(rivals(town, node), 1.0) | {node: -2.0}
        ),
        "a trusted owner": lambda town, node, wei: traitor(
            town, node, wei, {node: -4.0} | dict.fromkeys(rivals(town, node), 1.0)
        ),
    }


def wash_rating() -> dict[str, Attack]:
    """Attacks that win places for a node."""
    return {
        "one account": lambda town, node, wei: one(town, wei, {node: 1.0}),
        "ten accounts, filling": lambda town, node, wei: several(
            town, wei, {node: 1.0} | dict.fromkeys(puppets(town), 1.0)
        ),
        "against all rivals": lambda town, node, wei: one(
            town, wei, {node: 4.0} | dict.fromkeys(rivals(town, node), -1.0)
        ),
        "a trusted owner": lambda town, node, wei: traitor(town, node, wei, {node: 1.0}),
    }


def one(town: Town, wei: int, shares: RatingSums) -> Spending:
    """Put all of the bond on one account, spent in these proportions."""
    return [(town.account(), wei, scaled(shares, wei))]


def several(town: Town, wei: int, shares: RatingSums) -> Spending:
    """Split the bond over ten accounts; fewer where the least bond allows no more."""
    parts = min(PARTS, max(wei // 10**16, 1))
    return [(town.account(), wei // parts, scaled(shares, wei // parts)) for _ in range(parts)]


def traitor(town: Town, node: int, wei: int, shares: RatingSums) -> Spending:
    """Let the owner of an honest node turn that all raters rate well."""
    return [(town.owner(town.turned if town.turned != node else town.turned_next), wei, scaled(shares, wei))]


def scaled(shares: RatingSums, wei: int) -> RatingSums:
    """RatingSums in proportion to ``shares``, as many as the bond buys in one epoch."""
    whole = sum(map(abs, shares.values()))
    spent = wei / WEI_PER_VERDICT * 0.999  # hundredths are rounded
    return {node: share / whole * spent for node, share in shares.items()}


def rivals(town: Town, node: int) -> list[int]:
    """Return every node that was there before the attack, but one."""
    return [each for each in town.first if each != node]


def puppets(town: Town) -> list[int]:
    owner = town.account()
    return [town.add_node(owner) for _ in range(PUPPETS)]
