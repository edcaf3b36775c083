"""Run the benchmark of networks of many nodes."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.big_network.live import live
from benchmarks.big_network.made import CardData, card_data, made
from benchmarks.big_network.many import FIRST, measure
from benchmarks.harness import report
from knet.embed.base import PartEmbedder
from knet.embed.load import load_embedder
from knet.routing.large.summary import summarize_card
from knet.routing.large.summary_store import SummaryStore
from knet.routing.large.two_stage import Overview, route_summaries
from knet.routing.options import Options
from knet.routing.query import Query
from knet.routing.router import route

NAMES = ("squad_dev", "scifact")  # constants were chosen on medquad and liveqa
QUESTIONS = 30  # of each set
NODES = 100_000
DISTINCT = 14_336  # different ones; the others are copies under other ids (benchmarks/big_network/many.py)
LIVE = 1000
LIVE_QUESTIONS = 60
SIZES = (100, 1000)  # of the networks that are routed in one stage and in two


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_network", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few nodes: does it work at all?")
    quick = parser.parse_args().quick
    embedder = load_embedder()
    assert isinstance(embedder, PartEmbedder)
    data = card_data(embedder, NAMES[:1] if quick else NAMES, 5 if quick else QUESTIONS)
    sizes = (50, 100) if quick else SIZES
    stages = {str(count): compared_to_one_stage(data, count) for count in sizes}
    print(f"one stage and two: {stages}", flush=True)
    with TemporaryDirectory(prefix="knet-bench-") as folder:
        (Path(folder) / "scratch").mkdir()
        counts = (1200, 600) if quick else (NODES, DISTINCT)
        many = measure(data, *counts, Path(folder) / "atlas", Path(folder) / "scratch")
    print(f"many: {many}", flush=True)
    real = live(embedder, 20 if quick else LIVE, 5 if quick else LIVE_QUESTIONS)
    print(f"real: {real}", flush=True)
    largest = stages[str(sizes[-1])]
    figures = {
        "route_p95_ms": many["many"]["route_p95_ms"],
        "route_p50_ms": many["many"]["route_p50_ms"],
        "route_cpu_p95_ms": many["many"]["route_cpu_p95_ms"],
        **many["kept"],
        "open_s": many["many"]["open_s"],
        "rss_mb": many["many"]["rss_mb"],
        "disk_mb": many["many"]["disk_mb"],
        "one_stage_ratio_100": stages[str(sizes[0])]["ratio"],
        "one_stage_ratio_1000": largest["ratio"],
        "first_answer_s": real["first"]["first_answer_s"],
        "first_connect_s": real["first"]["all_known_s"],
        "warm_connect_s": real["warm"]["first_answer_s"],
        "ask_p50_ms": real["warm"]["ask_p50_ms"],
        "ask_p95_ms": real["warm"]["ask_p95_ms"],
    }
    details = {"one_stage": stages, "many": many, "real": real, "load_average": os.getloadavg()}
    report("big_network-quick" if quick else "big_network", figures, details, picture(stages, many))


def compared_to_one_stage(data: CardData, count: int) -> dict[str, float]:
    """Return milliseconds of each way over the same nodes, and the number of common first nodes."""
    views = [made(data, node) for node in range(1, count + 1)]
    with TemporaryDirectory(prefix="knet-bench-") as folder:
        store = SummaryStore(Path(folder))
        store.learn(data.space, views)
        store.add([(data.cid, summarize_card(view)) for view in views])
        overview = Overview(store.index, store.spaces, ())
        one, two, same = list[float](), list[float](), list[float]()
        for _ in range(2):  # the first one warms up
            one, two, same = [], [], []
            for number, question in enumerate(data.questions):
                vectors = {data.cid: data.asked[number]}
                started = time.perf_counter()
                near = route(Query(question, vectors, Options(max_nodes="all")), views)
                between = time.perf_counter()
                far = route_summaries(Query(question, vectors), overview, {})
                one.append(1000 * (between - started))
                two.append(1000 * (time.perf_counter() - between))
                same.append(len({each.node for each in near[:FIRST]} & {each.node for each in far[:FIRST]}) / FIRST)
        store.close()
    return {
        "one_stage_p50_ms": round(float(np.median(one)), 2),
        "two_stages_p50_ms": round(float(np.median(two)), 2),
        "ratio": round(float(np.median(two) / np.median(one)), 3),
        "same_of_first_10": round(float(np.mean(same)), 4),
    }


def picture(stages: dict[str, dict[str, float]], many: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(9, 3.5))
    left, right = figure.subplots(1, 2)
    sizes: Sequence[int] = [int(size) for size in stages]
    left.plot(sizes, [stages[str(size)]["one_stage_p50_ms"] for size in sizes], marker="o", label="every card")
    far = [stages[str(size)]["two_stages_p50_ms"] for size in sizes]
    beyond = [many["distinct"], many["many"]]
    left.plot(
        [*sizes, *(each["nodes"] for each in beyond)],
        [*far, *(each["route_p50_ms"] for each in beyond)],
        marker="o",
        label="two stages",
    )
    left.set(xscale="log", yscale="log", xlabel="nodes", ylabel="milliseconds (median)", title="routing one question")
    left.legend()
    right.barh(list(many["kept"]), list(many["kept"].values()))
    right.set(xlim=(0, 1), title="kept of routing over every card")
    figure.tight_layout()
    return figure


if __name__ == "__main__":
    main()
