"""Run the benchmark of federated retrieval."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import knet
from benchmarks import fleet
from benchmarks.federation.central import bm25_top, dense_top
from benchmarks.harness import report
from benchmarks.passages import Question, at_random, by_article, embedded, squad
from knet.config import Profile
from knet.embed.load import load_embedder

NODES = 20
QUESTIONS = 500
ROUTED = 5
K = 10
DENSE: dict[str, Any] = {"retrievers": ("dense",), "collapse": False}

Rankings = list[list[str]]  # passage ids, best first, one list a question


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few nodes and questions: does it work at all?")
    quick = parser.parse_args().quick
    nodes, routed = (4, 2) if quick else (NODES, ROUTED)
    passages, questions = squad(120 if quick else 0, 30 if quick else QUESTIONS)
    embedder = load_embedder()
    vectors = embedded([passage.text for passage in passages], embedder)
    asked = embedded([question.text for question in questions], embedder, query=True)
    given = fleet.GivenEmbedder(embedder.space, {p.text: v for p, v in zip(passages, vectors, strict=True)})
    ids = [passage.id for passage in passages]
    found = {
        "central dense": [[ids[row] for row in rows] for rows in dense_top(vectors, asked, K)],
        "central BM25": [[ids[row] for row in rows] for rows in bm25_top(passages, questions, K)],
    }
    for name, split in (("articles", by_article), ("random", at_random)):
        with fleet.network() as profile, fleet.nodes(profile, split(passages, nodes), given):
            found |= {f"{name}, {way}": top for way, top in ask_network(profile, questions, nodes, routed).items()}
    scores = {name: scored(rankings, questions) for name, rankings in found.items()}
    for name, line in scores.items():
        print(f"{name:32} {line}")
    central, every = found["central dense"], found["articles, dense, all nodes"]
    routed_key = f"articles, dense, {routed} nodes"
    figures = {
        "same_top10": share(set(a) == set(b) for a, b in zip(central, every, strict=True)),
        "same_order": share(a == b for a, b in zip(central, every, strict=True)),
        "routed_recall_at_10": round(scores[routed_key]["recall@10"] / scores["central dense"]["recall@10"], 4),
    }
    details = {
        "nodes": nodes,
        "asked_when_routed": routed,
        "passages": len(passages),
        "questions": len(questions),
        "scores": scores,
        "load_average": os.getloadavg(),
    }
    report("federation-quick" if quick else "federation", figures, details, picture(scores))


def ask_network(profile: Profile, questions: Sequence[Question], nodes: int, routed: int) -> dict[str, Rankings]:
    """Return the network's results for all nodes and routed nodes, by cosine alone and with the default fusion."""
    ways: dict[str, dict[str, Any]] = {
        "dense, all nodes": {**DENSE, "max_nodes": "all"},
        f"dense, {routed} nodes": {**DENSE, "max_nodes": routed},
        "default, all nodes": {"max_nodes": "all"},
        f"default, {routed} nodes": {"max_nodes": routed},
    }
    found: dict[str, Rankings] = {way: [] for way in ways}
    with knet.connect(profile) as net:
        for question in questions:
            for way, options in ways.items():
                answer = net.ask(question.text, k=K, node_timeout=fleet.PATIENCE_SECONDS, **options)
                heard = sum(node.status == "success" for node in answer.nodes)
                if heard != (nodes if options["max_nodes"] == "all" else options["max_nodes"]):
                    raise SystemExit(f"{heard} nodes answered {question.text!r}: {answer}")
                found[way].append([PurePosixPath(passage.uri).stem for passage in answer.passages])
    return found


def scored(rankings: Rankings, questions: Sequence[Question]) -> dict[str, float]:
    pairs = list(zip(rankings, questions, strict=True))
    return {
        "hit@1": share(ranking[:1] == [question.gold] for ranking, question in pairs),
        "recall@10": share(question.gold in ranking for ranking, question in pairs),
    }


def share(outcomes: Any) -> float:
    return round(float(np.mean(list(outcomes))), 4)


def picture(scores: dict[str, dict[str, float]]) -> Figure:
    figure = Figure(figsize=(8, 0.45 * len(scores) + 1))
    axes = figure.subplots()
    places = np.arange(len(scores))
    for offset, metric in ((-0.2, "recall@10"), (0.2, "hit@1")):
        bars = axes.barh(places + offset, [found[metric] for found in scores.values()], 0.38, label=metric)
        axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=7)
    axes.set_yticks(places, list(scores))
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.12), title="one index, and a network of nodes")
    axes.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main()
