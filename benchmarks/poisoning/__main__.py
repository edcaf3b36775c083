"""Run the benchmark of planted answers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.harness import report
from benchmarks.learners import Knet, Learner, Paper
from benchmarks.passages import embedded
from benchmarks.pollution import SOURCES, World, load
from benchmarks.simulated import Ids, Network, Pool, Source
from knet.embed.base import Embedder
from knet.embed.load import load_embedder

SETS = ("squad", "medquad")
SEEDS = 3
WARM_UP = 500  # questions with honest sources only: attackers build reputation first
ATTACKED = 100  # questions after that
TIMES = (1, 5, 20)
COLLUDING = (1, 2, 3)
LEARNERS = ("paper", "knet")
PHRASES = (
    "{question} {answer}.", "{question} The answer is {answer}.", "{question} It is {answer}.",
    "The answer to the question {question} is {answer}.", "{answer} is the answer. {question}",
    "Asked {question} experts say {answer}.", "{question} According to all records: {answer}.",
    "It is well known: {question} {answer}.", "{question} As everybody agrees, {answer}.",
    "Question: {question} Answer: {answer}.", "{question} The correct answer is {answer}.",
    "{question} Without any doubt {answer}.", "If you ask {question} you will be told {answer}.",
    "{question} Sources confirm {answer}.", "Fact: {question} {answer}.", "{question} Only {answer} is right.",
    "{question} Historically, {answer}.", "{question} Today it is {answer}.", "{question} Studies show {answer}.",
    "The question {question} has one answer, {answer}.",
)  # fmt: skip

Losses = dict[tuple[str, int, int], list[float]]  # (learner, colluding, times) -> accuracy lost, a run each


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poisoning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one set, one seed: does it work at all?")
    quick = parser.parse_args().quick
    embedder = load_embedder()
    losses: Losses = {}
    clean: dict[str, list[float]] = {name: [] for name in LEARNERS}
    for name in SETS[:1] if quick else SETS:
        world = load(name, embedder)
        for seed in range(1 if quick else SEEDS):
            run(world, embedder, seed, losses, clean)
            print(f"{name}, seed {seed}: lost by {summary(losses)}", flush=True)
    ratios = [a / max(b, 1e-9) for a, b in zip(mean_by_run(losses, "knet"), mean_by_run(losses, "paper"), strict=True)]
    lost = {name: float(np.mean(mean_by_run(losses, name))) for name in LEARNERS}
    figures = {
        "loss_over_paper": round(lost["knet"] / lost["paper"], 4),
        "loss": round(lost["knet"], 4),
        "loss_paper": round(lost["paper"], 4),
    }
    details: dict[str, Any] = {
        "without attack": clean,
        "lost": {
            f"{who}, {colluding} colluding, {times} times": found for (who, colluding, times), found in losses.items()
        },
        "loss_over_paper by run": ratios,
        "interval": float(1.96 * np.std(ratios) / len(ratios) ** 0.5),
        "warm_up": WARM_UP,
        "attacked": ATTACKED,
    }
    report("poisoning", figures, details, picture(losses))


def run(world: World, embedder: Embedder, seed: int, losses: Losses, clean: dict[str, list[float]]) -> None:
    """Return the loss of accuracy by learner and attack, for one seed of one set."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(world.questions)).tolist()
    warm_up, attacked = order[:WARM_UP], order[WARM_UP : WARM_UP + ATTACKED]
    attackers = chance.permutation(SOURCES).tolist()
    pool = Pool(world, embedder.space)
    planted = plant(pool, attacked, embedder)
    everything = np.arange(pool.count)
    honest = Network(pool, [Source(number, pool, everything) for number in range(SOURCES)])
    for who in LEARNERS:
        warm = learner(who, honest, seed)
        for question in warm_up:
            warm.answer(question, learn=True)
        clean[who].append(accuracy(warm, honest, attacked))
        for colluding in COLLUDING:
            for times in TIMES:
                network = turned(honest, attackers[:colluding], planted[:, :times])
                after = accuracy(warm, network, attacked)
                losses.setdefault((who, colluding, times), []).append(clean[who][-1] - after)


def plant(pool: Pool, questions: Sequence[int], embedder: Embedder) -> Ids:
    """Return ``(questions, phrases)``: numbers of passages with one false answer per question in many phrases."""
    asked = [pool.world.questions[question] for question in questions]
    texts = [phrase.format(question=each.text, answer=each.planted[-1].strip()) for each in asked for phrase in PHRASES]
    about = [question for question in questions for _ in PHRASES]
    return pool.add(texts, embedded(texts, embedder), about).reshape(len(questions), len(PHRASES))


def turned(honest: Network, attackers: Sequence[int], planted: Ids) -> Network:
    """Return the network in which these sources also hold the planted passages, with their earlier cards."""
    sources = [
        Source(number, honest.pool, np.concatenate([source.held, planted.ravel()])) if number in attackers else source
        for number, source in honest.sources.items()
    ]
    network = Network(honest.pool, sources, views=honest.views)
    network.share(honest, [number for number in honest.sources if number not in attackers])
    return network


def learner(who: str, network: Network, seed: int) -> Learner:
    return Paper(network, seed) if who == "paper" else Knet(network, labels=True)


def accuracy(warm: Learner, network: Network, attacked: Sequence[int]) -> float:
    """Return the share of correct answers of a trained learner, which continues to learn."""
    learner = deepcopy(warm, {id(warm.network): network})
    return float(np.mean(list(outcomes(learner, network.pool, attacked))))


def outcomes(learner: Learner, pool: Pool, questions: Sequence[int]) -> Iterator[bool]:
    for question in questions:
        yield pool.is_right([passage for _, passage in learner.answer(question, learn=True)], question)


def mean_by_run(losses: Losses, who: str) -> list[float]:
    return np.mean([found for (name, _, _), found in losses.items() if name == who], axis=0).tolist()  # type: ignore[no-any-return]


def summary(losses: Losses) -> str:
    return ", ".join(f"{who} {mean_by_run(losses, who)[-1]:.3f}" for who in LEARNERS)


def picture(losses: Losses) -> Figure:
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for who, style in zip(LEARNERS, ("--", "-"), strict=True):
        for colluding in COLLUDING:
            found = [losses[who, colluding, times] for times in TIMES]
            axes.plot(
                TIMES, [np.mean(each) for each in found], style, marker="o", label=f"{who}, {colluding} of 6 collude"
            )
    axes.set(xlabel="copies of each planted answer", ylabel="accuracy lost", ylim=(0, None), title="planted answers")
    axes.legend(fontsize=7)
    return figure


if __name__ == "__main__":
    main()
