"""Run the benchmark of manipulated ratings."""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.fleet import network
from benchmarks.harness import report
from benchmarks.manipulation.attacks import Attack, bad_mouthing, wash_rating
from benchmarks.manipulation.contexts import DEALS, NODES, SHOWN, Contexts, load_world
from benchmarks.manipulation.people import Town
from knet.chain.batches import Batch, Delta
from knet.chain.keys import Signer
from knet.client.trust_model import TrustModel
from knet.codec import Cid
from knet.config import home
from knet.embed.load import load_embedder
from knet.rating.replication import keepers
from knet.rating.verification import BatchVerifier
from knet.records import Reputation

SEEDS = 2
RATERS = 20
RATER_BOND = 2 * 10**16  # wei, twice the least
HONEST = RATERS * RATER_BOND
LEVELS = {"a tenth": HONEST // 10, "equal": HONEST, "tenfold": 10 * HONEST}
RATED_BY_EACH = 10  # answers an honest rater rates
RATED = 20  # answers that the client which rates has rated
CREDITED = 3  # passages that share the rating on an answer
MEASURED = 60  # questions, of which those count in which the node could be shown
WEI = 10**18
NETWORK, BATCHES, RATED_TOGETHER = 200, 1000, 5  # nodes, batches and nodes a batch rates, for `lost_batches`

Beliefs = Mapping[int, Reputation]
Found = dict[tuple[str, str, str, str], list[float]]  # figure, client, level, attack -> a value a run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.manipulation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed: does it work at all?")
    seeds = 1 if parser.parse_args().quick else SEEDS
    embedder = load_embedder()
    found: Found = defaultdict(list)
    costs: dict[str, dict[str, float]] = {}
    for deal in DEALS:
        contexts = Contexts(*load_world(embedder), embedder, deal)
        for seed in range(seeds):
            with network() as profile:
                Run(contexts, Town(profile, NODES), seed, found, costs).go()
            print(f"{deal}, seed {seed}: {figures_of(found)}", flush=True)
    details: dict[str, Any] = {
        "seeds": seeds,
        "deals": list(DEALS),
        "nodes": NODES,
        "honest_bond": HONEST / WEI,
        "places": SHOWN,
        "by_attack": {" | ".join(key): values for key, values in found.items()},
        "intervals_95": {" | ".join(key): interval(values) for key, values in found.items()},
        "ether": costs,
        "batches_lost_by_share_of_hostile_nodes": {str(share): lost_batches(share) for share in (0.1, 0.25, 0.5)},
    }
    report("manipulation", figures_of(found), details, picture(found))


class Run:
    """One seed on one deal: the honest rate, then each attack is tried and taken back."""

    def __init__(
        self, contexts: Contexts, town: Town, seed: int, found: Found, costs: dict[str, dict[str, float]]
    ) -> None:
        self.contexts, self.town, self.found, self.costs = contexts, town, found, costs
        self.chance = random.Random(seed)
        self.asked: set[str] = set()  # clients that got answers of every node
        self.verifier = BatchVerifier(town.chain, lambda batch: town.leaves, home() / "batches.db")
        order = self.chance.sample(range(len(contexts.world.questions)), len(contexts.world.questions))
        self.measured, self.others = order[:MEASURED], order[MEASURED:]
        self.liar, self.victim, town.turned, town.turned_next = self.chance.sample(range(1, NODES + 1), 4)

    def go(self) -> None:
        town = self.town
        town.first = list(town.owners)
        client = town.account()
        self.try_all("victim_loss", "alone", client, bad_mouthing(), ("equal",))
        self.honest_rate()
        self.try_all("victim_loss", "newcomer", client, bad_mouthing(), tuple(LEVELS))
        self.try_all("wash_gain", "newcomer", client, wash_rating(), tuple(LEVELS))
        self.whitewash("newcomer", client)
        self.client_rates(client)
        self.try_all("victim_loss", "rated 20", client, bad_mouthing(), ("equal", "tenfold"))
        self.try_all("wash_gain", "rated 20", client, wash_rating(), ("equal", "tenfold"))
        self.whitewash("rated 20", client)

    def honest_rate(self) -> None:
        """Have every honest rater ask, and rate what it got."""
        for _ in range(RATERS):
            rater = self.town.account()
            self.town.bond(rater, RATER_BOND)
            self.town.rate(rater, self.rated(self.chance.sample(self.others, RATED_BY_EACH)))

    def client_rates(self, client: Signer) -> None:
        self.asked.add(client.address)
        self.town.bond(client, RATER_BOND)
        self.town.rate(client, self.rated(self.chance.sample(self.others, RATED)))

    def rated(self, questions: Sequence[int]) -> dict[int, float]:
        """Sums of an honest rater's ratings: each answer's is shared by its best passages."""
        given: defaultdict[int, float] = defaultdict(float)
        for question in questions:
            for node in self.contexts.shown(question, {})[:CREDITED]:
                given[node] += (-1 if node == self.liar else 1) / CREDITED
        return dict(given)

    def try_all(
        self, measure: str, who: str, client: Signer, attacks: Mapping[str, Attack], levels: Sequence[str]
    ) -> None:
        node, lost = self.victim, measure == "victim_loss"
        questions = self.in_play(node) if lost else self.measured
        before = self.contexts.places(questions, self.beliefs(client))[node]
        for level in levels:
            for name, attack in attacks.items():
                with self.town.undone():
                    self.spend(f"{measure}, {level}, {name}", attack, LEVELS[level])
                    after = self.contexts.places(questions, self.beliefs(client))[node]
                change = after / before - 1
                self.found[measure, who, level, name].append(-change if lost else change)
                print(f"{measure}, {who}, {level}, {name}: {change:+.3f}", flush=True)

    def spend(self, what: str, attack: Attack, wei: int) -> None:
        """Put an attack on the chain, and note what it locks and costs."""
        spending = attack(self.town, self.victim, wei)
        accounts = [account for account, _, _ in spending]
        before = self.town.balance(accounts)
        for account, bond, ratings in spending:
            self.town.bond(account, bond)
            self.town.rate(account, ratings)
        locked = sum(bond for _, bond, _ in spending)
        spent = before - self.town.balance(accounts) - locked
        self.costs[what] = {"locked": locked / WEI, "spent_on_gas": spent / WEI}

    def whitewash(self, who: str, client: Signer) -> None:
        """Let a badly rated node leave and come back under another identity, owner and address."""
        questions = self.in_play(self.liar)
        believed = self.beliefs(client)
        unrated = {node: known for node, known in believed.items() if node != self.liar}
        never = self.contexts.places(questions, unrated)[self.liar]
        before = self.contexts.places(questions, believed)[self.liar]
        with self.town.undone():
            identity = self.town.add_node(self.town.account())
            again = self.contexts.renamed(self.liar, identity)
            after = again.places(questions, self.beliefs(client, again))[identity]
        self.found["whitewash_gain", who, "-", "new owner and address"].append((after - before) / never)
        self.found["liar_loss", who, "-", "rated by the honest"].append(1 - before / never)

    def in_play(self, node: int) -> list[int]:
        """Questions on which a node has, or nearly has, a place."""
        return [q for q in self.measured if node in self.contexts.shown(q, {}, k=2 * SHOWN)]

    def beliefs(self, client: Signer, contexts: Contexts | None = None) -> Beliefs:
        """Return the beliefs of the client, from the chain and every leaf, as a new process of it would hold them."""
        town = self.town
        with TemporaryDirectory(prefix="knet-bench-") as folder:
            model = TrustModel(
                town.chain,
                client.address,
                Path(folder) / "learnt.db",
                lambda: town.owners,
                self.verifier,
                views=lambda: (contexts or self.contexts).network.views,
            )
            with closing(model):
                if client.address in self.asked:
                    model.observe_identities(self.contexts.network.views.values())
                count = -1
                while count != (count := len(self.verifier.verified(town.chain.reliability.batches()))):
                    model.refresh()
                return model.beliefs(dict.fromkeys(town.owners, Reputation(count=1)))


def lost_batches(hostile: float, seed: int = 0) -> float:
    """Return the share of batches of an offline rater that no honest node keeps.

    Every node that a batch rates is hostile, and so is this share of the others.
    """
    chance, lost = random.Random(seed), 0
    for number in range(BATCHES):
        liars = {node for node in range(NETWORK) if chance.random() < hostile}
        rated = chance.sample(range(NETWORK), RATED_TOGETHER)
        deltas = [Delta(node=node, positive=0, negative=100, count=1) for node in rated]
        content = Cid.from_digest(number.to_bytes(32, "big"))
        batch = Batch(rater="", number=number, submitted_at=0, root=b"", content=content, deltas=deltas)
        lost += {*keepers(batch, range(NETWORK))} <= liars | {*rated}
    return lost / BATCHES


# --- what it comes to ----------------------------------------------------------------------------------------------


def figures_of(found: Found) -> dict[str, float]:
    """Return the figures: of every attack the one that works best, on average over runs."""
    names = {
        "victim_loss_at_equal_bond": ("victim_loss", "newcomer", "equal"),
        "wash_gain_at_equal_bond": ("wash_gain", "newcomer", "equal"),
        "whitewash_gain": ("whitewash_gain", "newcomer", "-"),
        "victim_loss_alone": ("victim_loss", "alone", "equal"),
        "victim_loss_rated_20": ("victim_loss", "rated 20", "tenfold"),
        "wash_gain_rated_20": ("wash_gain", "rated 20", "tenfold"),
        "whitewash_gain_rated_20": ("whitewash_gain", "rated 20", "-"),
        "victim_loss_at_tenfold_bond": ("victim_loss", "newcomer", "tenfold"),
        "wash_gain_at_tenfold_bond": ("wash_gain", "newcomer", "tenfold"),
        "liar_loss": ("liar_loss", "newcomer", "-"),
        "liar_loss_rated_20": ("liar_loss", "rated 20", "-"),
    }
    return {name: round(worst(found, *key), 4) for name, key in names.items()}


def worst(found: Found, measure: str, who: str, level: str) -> float:
    means = [np.mean(values) for key, values in found.items() if key[:3] == (measure, who, level)]
    return float(max(means, default=0.0))


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean."""
    return float(1.96 * np.std(values, ddof=min(len(values) - 1, 1)) / len(values) ** 0.5)


def picture(found: Found) -> Figure:
    figure = Figure(figsize=(9, 4))
    for axes, measure in zip(figure.subplots(1, 2, sharey=True), ("victim_loss", "wash_gain"), strict=True):
        for who in ("alone", "newcomer", "rated 20"):
            levels = [level for level in LEVELS if any(key[:3] == (measure, who, level) for key in found)]
            axes.plot(levels, [worst(found, measure, who, level) for level in levels], marker="o", label=who)
        axes.axhline(0.1, color="black", linewidth=0.8, linestyle="--")
        axes.set(xlabel="attacker's bond against all honest bonds", title=measure.replace("_", " "))
    axes.legend(fontsize=7)
    return figure


if __name__ == "__main__":
    main()
