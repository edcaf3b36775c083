"""Run the benchmark of query latency."""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import faiss
import numpy as np
from matplotlib.figure import Figure

import knet
from benchmarks import fleet
from benchmarks.harness import report
from benchmarks.passages import SEED, Passage, by_article, embedded, squad
from benchmarks.query_latency.stages import STAGES, watched
from knet.client.network import Network
from knet.embed.base import Embedder, Vectors
from knet.embed.load import load_embedder

NODES = 20
QUESTIONS = 240
STAGED = 60  # further questions, asked with a stopwatch on every stage
WARM_UP = 20
K = 8  # passages that `Network.ask` returns by default

Ask = Callable[[str], object]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query_latency", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few nodes and questions: does it work at all?")
    quick = parser.parse_args().quick
    nodes, count = (3, 20) if quick else (NODES, QUESTIONS)
    passages, questions = squad(120 if quick else 0, count + STAGED + WARM_UP)
    asked = [question.text for question in questions]
    embedder = load_embedder()
    vectors = embedded([passage.text for passage in passages], embedder)
    given = fleet.GivenEmbedder(embedder.space, {p.text: v for p, v in zip(passages, vectors, strict=True)})
    with (
        fleet.network() as profile,
        fleet.nodes(profile, by_article(passages, nodes), given),
        knet.connect(profile) as net,
    ):
        runs = the_runs(net, embedder, passages, vectors)
        for text in asked[:WARM_UP]:
            for run in runs.values():
                run(text)
        milliseconds = interleaved(runs, asked[WARM_UP : WARM_UP + count])
        stages = {name: staged(runs[name], asked[-STAGED:]) for name in ("default", "all")}
        statuses = Counter(node.status for text in asked[-STAGED:] for node in net.ask(text).nodes)
    figures = {
        f"p{percentile}_ratio{suffix}": round(
            float(np.percentile(milliseconds[name], percentile) / np.percentile(milliseconds["central"], percentile)), 3
        )
        for name, suffix in (("default", ""), ("all", "_all"))
        for percentile in (50, 95)
    }
    summaries = {name: summary(values) for name, values in milliseconds.items()}
    details = {
        "nodes": nodes,
        "passages": len(passages),
        "questions": count,
        "load_average": os.getloadavg(),
        "milliseconds": summaries,
        "stages_p50_ms": stages,
        "statuses": statuses,
    }
    for name, line in [*summaries.items(), *stages.items()]:
        print(name, line)
    report("query_latency-quick" if quick else "query_latency", figures, details, picture(milliseconds, stages))


def the_runs(net: Network, embedder: Embedder, passages: Sequence[Passage], vectors: Vectors) -> dict[str, Ask]:
    """Return the measured runs: one flat index here, the network's default, and all of its nodes."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)

    def central(text: str) -> list[Passage]:
        _, rows = index.search(embedder.encode([text], query=True), K)
        return [passages[row] for row in rows[0]]

    return {"central": central, "default": net.ask, "all": lambda text: net.ask(text, max_nodes="all")}


def interleaved(runs: dict[str, Ask], asked: Sequence[str]) -> dict[str, list[float]]:
    """Return milliseconds of each question by each run; every question uses all runs, in changing order."""
    order, shuffler = list(runs), random.Random(SEED)
    milliseconds: dict[str, list[float]] = {name: [] for name in runs}
    for text in asked:
        shuffler.shuffle(order)
        for name in order:
            started = time.perf_counter()
            runs[name](text)
            milliseconds[name].append(1000 * (time.perf_counter() - started))
    return milliseconds


def staged(run: Ask, asked: Sequence[str]) -> dict[str, float]:
    """Return the median milliseconds of each stage."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    for text in asked:
        with watched() as spent:
            started = time.perf_counter()
            run(text)
            spent["total"] = time.perf_counter() - started
        for stage in (*STAGES, "total"):
            seen[stage].append(1000 * spent[stage])
    return {stage: round(float(np.median(values)), 2) for stage, values in seen.items()}


def summary(values: Sequence[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in (5, 50, 90, 95, 99)}


def picture(milliseconds: dict[str, list[float]], stages: dict[str, dict[str, float]]) -> Figure:
    """Draw distributions on the left, the time of each stage on the right."""
    figure = Figure(figsize=(11, 4))
    left, right = figure.subplots(1, 2)
    for name, values in milliseconds.items():
        left.plot(np.sort(values), np.linspace(0, 1, len(values)), label=name)
    left.set(xscale="log", xlabel="milliseconds a question", ylabel="share of questions", title="one question")
    left.legend()
    bottom = np.zeros(len(stages))
    for stage in STAGES:
        heights = np.array([found[stage] for found in stages.values()])
        right.bar(list(stages), heights, bottom=bottom, label=stage)
        bottom += heights
    right.set(ylabel="milliseconds (medians)", title="stages")
    right.legend()
    return figure


if __name__ == "__main__":
    main()
