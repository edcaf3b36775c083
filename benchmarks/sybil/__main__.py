"""Run the benchmark of Sybil identities."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.fleet import network
from benchmarks.harness import report
from benchmarks.sybil.bonds import moved
from knet.chain.evm import EvmChain
from knet.trust.meritrank import BETA, TrustWalks

SYBILS = 50
HONEST = 50
RATED = 6  # others that each honest account has rated
ALPHA = 0.01  # as in MeritRank's figure 4; knet's default (0.15) stops walks far sooner and is measured too
BETAS = (0.0, 0.5, BETA)
PUBLISHED = {0.0: 1.55, 0.5: 0.65, 0.9: 0.11}  # MeritRank, 50 Sybils, alpha 0.01
SHAPES = ("path", "cycle")
SEEDS = 10
SPLITS = (1, 10, 100)  # accounts
ATTACKER = "honest 0"  # trusted by others before it attacks

Ratings = list[tuple[str, str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sybil", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds: does it work at all?")
    seeds = 2 if parser.parse_args().quick else SEEDS
    gains = {
        (shape, alpha, beta): [gain(shape, alpha, beta, seed) for seed in range(seeds)]
        for shape in SHAPES
        for alpha in (ALPHA, 0.15)
        for beta in BETAS
    }
    for (shape, alpha, beta), found in gains.items():
        print(f"{shape:6} alpha {alpha:4} beta {beta:3}: gain {np.mean(found):.3f} ± {interval(found):.3f}")
    growth = {
        count: float(np.mean([gain("cycle", ALPHA, BETA, s, count) for s in range(seeds)])) for count in (1, 5, 50)
    }
    bonds = moved_by_split_bonds()
    print(f"ratings that one bond moves a score by, split over accounts: {bonds}")
    figures = {
        "attacker_gain": round(max(float(np.mean(gains[shape, ALPHA, BETA])) for shape in SHAPES), 4),
        "split_bond_gain": round(max(bonds.values()) / bonds[1] - 1, 4),
    }
    details: dict[str, Any] = {
        "sybils": SYBILS,
        "honest": HONEST,
        "seeds": seeds,
        "gain": "trust in Sybil identities over trust in all honest accounts",
        "gains": {f"{shape}, alpha {alpha}, beta {beta}": found for (shape, alpha, beta), found in gains.items()},
        "cycle_by_identities": growth,
        "ratings_by_accounts_sharing_a_bond": bonds,
        "published": {str(beta): value for beta, value in PUBLISHED.items()},
    }
    report("sybil", figures, details, picture(gains))


def moved_by_split_bonds() -> dict[int, float]:
    """Return the effect of one bond on a score by number of accounts, on a separate chain."""
    with network() as profile:
        chain = EvmChain(profile.rpc, profile.deployment)
        return {accounts: moved(chain, profile.rpc, accounts) for accounts in SPLITS}


def gain(shape: str, alpha: float, beta: float, seed: int, count: int = SYBILS) -> float:
    """Return the gain of Sybil identities: my trust in all of them over my trust in all honest accounts."""
    ratings = [*honest(seed), *attack(shape, count)]
    scores = TrustWalks("me", ratings, alpha=alpha, beta=beta, seed=seed).scores()
    made_up = sum(score for name, score in scores.items() if name.startswith("made up"))
    return made_up / sum(score for name, score in scores.items() if name.startswith("honest"))


def honest(seed: int) -> Ratings:
    """Return the ratings of honest accounts and mine, each of some others at random."""
    generator = random.Random(seed)
    names = [f"honest {number}" for number in range(HONEST)]
    return [
        (rater, rated, 1.0)
        for rater in ["me", *names]
        for rated in generator.sample([name for name in names if name != rater], RATED)
    ]


def attack(shape: str, count: int) -> Iterator[tuple[str, str, float]]:
    """Yield the attack's ratings: the attacker rates the first Sybil identity highest, and each rates the next."""
    names = [ATTACKER, *(f"made up {number}" for number in range(count))]
    yield from ((rater, rated, 100.0) for rater, rated in pairwise(names))
    if shape == "cycle":
        yield names[-1], names[0], 100.0


def interval(values: list[float]) -> float:
    """Return half of the 95 % interval of a mean."""
    return float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)


def picture(gains: dict[tuple[str, float, float], list[float]]) -> Figure:
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    width = 0.8 / len(BETAS)
    groups = list(dict.fromkeys((shape, alpha) for shape, alpha, _ in gains))
    for number, beta in enumerate(BETAS):
        found = [gains[shape, alpha, beta] for shape, alpha in groups]
        axes.bar(
            np.arange(len(groups)) + number * width,
            [float(np.mean(values)) for values in found],
            width,
            yerr=[interval(values) for values in found],
            label=f"beta {beta:g} (published: {PUBLISHED[beta]:g})",
        )
    axes.axhline(0.15, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(np.arange(len(groups)) + width, [f"{shape}, alpha {alpha:g}" for shape, alpha in groups])
    axes.set(ylabel="trust in 50 made-up identities / in honest ones", title="what made-up identities gain")
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
