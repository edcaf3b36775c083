"""Run the benchmark of pollution."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness import report
from benchmarks.learners import Knet, Learner, Paper
from benchmarks.pollution import SOURCES, World, load
from benchmarks.simulated import Network, Pool, Source
from knet.embed.base import Embedder
from knet.embed.load import load_embedder
from knet.records import Reputation

SETS = ("squad", "medquad")
LEVELS = ("token", "document")
SEEDS = 5
WARM_UP = 500
TESTED = {"token": 250, "document": 900}  # questions after that, none asked before; fewer where a set has no more
POLLUTION = tuple(share / (SOURCES - 1) for share in range(SOURCES))
WINDOW = 100  # questions over which the cleanest source's share is taken, as the paper does
WANTED = 0.8
COUNTS = range(1, SOURCES + 1)

Runs = dict[tuple[str, str], list[dict[str, float]]]  # (set, level) -> accuracy by who answers, a run each
Shares = dict[tuple[str, str], list[list[float]]]  # (level, learner) -> of each question's contexts, the cleanest's


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed: does it work at all?")
    seeds = 1 if parser.parse_args().quick else SEEDS
    embedder = load_embedder()
    runs: Runs = defaultdict(list)
    shares: Shares = defaultdict(list)
    for name in SETS:
        world = load(name, embedder)
        for level in LEVELS:
            for seed in range(seeds):
                runs[name, level].append(run(world, embedder, level, seed, shares))
                print(f"{name}, {level}, seed {seed}: {runs[name, level][-1]}", flush=True)
            runs[name, level] = in_hindsight(runs[name, level])
    figures, intervals = the_figures(runs, shares)
    details: dict[str, Any] = {
        "accuracy": {f"{name}, {level}": found for (name, level), found in runs.items()},
        "intervals_95": intervals,
        "share_of_cleanest": {f"{level}, {who}": windows(found).tolist() for (level, who), found in shares.items()},
        "seeds": seeds,
        "pollution": POLLUTION,
        "planted": "every source makes up its own answers; memory of single passages is on for knet with labels",
    }
    report("reliability", figures, details, picture(runs, shares))


def run(world: World, embedder: Embedder, level: str, seed: int, shares: Shares) -> dict[str, float]:
    """Return, for one seed, the accuracy on new questions of one central index, of every learner, and of an oracle.

    The oracle knows every polluted passage. Without a clean source, every number of cleanest sources is added.
    """
    chance = np.random.default_rng(seed)
    pool = Pool(world, embedder.space)
    network = polluted(pool, level, chance)
    order = chance.permutation(len(world.questions)).tolist()
    warm_up, tested = order[:WARM_UP], order[WARM_UP : WARM_UP + TESTED[level]]
    clean = Network(pool, [Source(0, pool, np.arange(pool.count))])

    def central(network: Network, *, oracle: bool = False) -> Callable[[int], list[int]]:
        def answer(question: int) -> list[int]:
            fetched = [(s, p) for s in network.sources for p in network.fetch(question, s)]
            fetched = [(s, p) for s, p in fetched if p < pool.count or not oracle]
            return [passage for passage, _ in network.merge(question, fetched, {}, collapse=False)]

        return answer

    labelled = Knet(network, labels=True)
    learners: dict[str, Learner] = {
        "paper": Paper(network, seed),
        "labelled": labelled,
        "unlabelled": Knet(network, labels=False),
    }
    for who, learner in learners.items():
        used = [[source == 0 for source, _ in learner.answer(question, learn=True)] for question in warm_up]
        shares[level, who].append([float(np.mean(each)) for each in used])
    answers = {
        "unreliable": central(network),
        "reliable": central(clean),
        "oracle": central(network, oracle=True),
        **{who: shown(learner) for who, learner in learners.items()},
    }
    if level == "document":
        answers |= {cleanest(count): believing(network, count, labelled.ratings) for count in COUNTS}
    return {who: float(np.mean([pool.is_right(answer(q), q) for q in tested])) for who, answer in answers.items()}


def polluted(pool: Pool, level: str, chance: np.random.Generator) -> Network:
    """Return six sources that pollute 0 to 100 % of their passages: all passages each, or a sixth each."""
    rows = np.arange(pool.count)
    owner = chance.integers(SOURCES, size=pool.count)
    sources = []
    for number, pollution in enumerate(POLLUTION):
        lies = chance.random(pool.count) < pollution
        held = np.where(lies, number * pool.count + rows, rows)
        sources.append(Source(number, pool, held if level == "token" else held[owner == number]))
    return Network(pool, sources)


def believing(network: Network, count: int, ratings: Mapping[bytes, Reputation]) -> Callable[[int], list[int]]:
    """Return knet's ranking of the hits of the ``count`` cleanest sources, with equal initial beliefs."""

    def answer(question: int) -> list[int]:
        fetched = [(source, passage) for source in range(count) for passage in network.fetch(question, source)]
        return [passage for passage, _ in network.merge(question, fetched, {}, ratings=ratings)]

    return answer


def in_hindsight(runs: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the runs with one accuracy in place of those of each number of cleanest sources: that of the best number.

    It is the upper limit of leaving sources out with knowledge of their pollution.
    """
    if cleanest(SOURCES) not in runs[0]:
        return runs
    best = max(COUNTS, key=lambda count: sum(run[cleanest(count)] for run in runs))
    left = {cleanest(count) for count in COUNTS}
    return [
        {who: value for who, value in run.items() if who not in left} | {"hindsight": run[cleanest(best)]}
        for run in runs
    ]


def cleanest(count: int) -> str:
    return f"{count} cleanest"


def shown(learner: Learner) -> Callable[[int], list[int]]:
    return lambda question: [passage for _, passage in learner.answer(question, learn=False)]


# --- figures -------------------------------------------------------------------------------------------------------


def the_figures(runs: Runs, shares: Shares) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return the figures, and the bootstrapped 95 % interval of each, over the runs of all sets."""
    token = [each for (_, level), found in runs.items() if level == "token" for each in found]
    document = [each for (_, level), found in runs.items() if level == "document" for each in found]
    ratios: dict[str, tuple[list[dict[str, float]], str, str]] = {
        "token_labelled": (token, "labelled", "reliable"),
        "token_unlabelled": (token, "unlabelled", "reliable"),
        "token_paper": (token, "paper", "reliable"),
        "document_of_oracle": (document, "labelled", "oracle"),
        "document_hindsight": (document, "hindsight", "oracle"),
    }
    figures = {name: share_of_gap(*ratio) for name, ratio in ratios.items()}
    intervals = {
        name: bootstrap(ratio[0], lambda some, of=ratio: share_of_gap(some, *of[1:])) for name, ratio in ratios.items()
    }

    def over_paper(some: Sequence[dict[str, float]]) -> float:
        return float(np.mean([each["labelled"] - each["paper"] for each in some]))

    intervals["document_over_paper"] = bootstrap(document, over_paper)
    figures["document_over_paper_low"] = intervals["document_over_paper"][0]
    figures["queries_to_80_percent"] = queries_to(WANTED, shares["token", "labelled"])
    return {name: round(value, 4) for name, value in figures.items()}, intervals


def share_of_gap(runs: Sequence[dict[str, float]], who: str, best: str) -> float:
    """Return the share of the unreliable centre's loss against ``best`` that ``who`` recovers, over all runs."""
    gained = sum(each[who] - each["unreliable"] for each in runs)
    return gained / max(sum(each[best] - each["unreliable"] for each in runs), 1e-9)


def bootstrap(
    runs: Sequence[dict[str, float]], figure: Callable[[Sequence[dict[str, float]]], float]
) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    drawn = [figure([runs[at] for at in generator.integers(len(runs), size=len(runs))]) for _ in range(1000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def windows(shares: Sequence[Sequence[float]]) -> Any:
    """Return ``(runs, questions)``: the cleanest source's share of the contexts in the window up to each question.

    The first windows are shorter.
    """
    contexts = np.array(shares)
    sums = np.cumsum(np.pad(contexts, ((0, 0), (1, 0))), axis=1)
    ends = np.arange(1, contexts.shape[1] + 1)
    starts = np.maximum(ends - WINDOW, 0)
    return (sums[:, ends] - sums[:, starts]) / (ends - starts)


def queries_to(wanted: float, shares: Sequence[Sequence[float]]) -> float:
    """Return the mean number of questions until the window's share stays above ``wanted``; a full window at least."""
    above = windows(shares) > wanted
    never = [int(np.flatnonzero(~run).max(initial=-1)) + 1 for run in above]
    return float(np.mean([max(count + 1, WINDOW) for count in never]))


def picture(runs: Runs, shares: Shares) -> Figure:
    figure = Figure(figsize=(13, 7))
    places = figure.subplots(2, 3)
    for column, ((name, level), found) in enumerate(runs.items()):
        bars(places[column // 2][column % 2], f"{name}, {level} level", found)
    for row, level in enumerate(LEVELS):
        lines(places[row][2], level, shares)
    figure.tight_layout()
    return figure


def bars(axes: Axes, title: str, runs: Sequence[dict[str, float]]) -> None:
    names = list(runs[0])
    values = np.array([[run[name] for name in names] for run in runs])
    spread = 1.96 * values.std(axis=0, ddof=min(len(runs) - 1, 1)) / len(runs) ** 0.5
    axes.bar(names, values.mean(axis=0), yerr=spread)
    axes.tick_params(axis="x", labelsize=7)
    axes.set(ylim=(0, 1), ylabel="accuracy (proxy)", title=title)


def lines(axes: Axes, level: str, shares: Shares) -> None:
    for (at, who), found in shares.items():
        if at == level:
            axes.plot(windows(found).mean(axis=0), label=who)
    axes.axhline(WANTED, color="black", linewidth=0.8, linestyle="--")
    axes.set(ylim=(0, 1.02), xlabel="questions", title=f"cleanest source's share of contexts, {level} level")
    axes.legend(fontsize=7)


if __name__ == "__main__":
    main()
