"""Run the benchmark of routing."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.corpora import SETS
from benchmarks.harness import report
from benchmarks.ranking import interval
from benchmarks.routing.world import Ids, Rows, World, at_random, by_topic, coarse, node_view, world
from knet.codec import encode
from knet.embed.base import PartEmbedder, Vectors
from knet.embed.load import load_embedder
from knet.index.analyser import tokens
from knet.index.lexical import term_hash
from knet.records import SearchRequest
from knet.routing.node_view import NodeView
from knet.routing.options import Options
from knet.routing.query import Query
from knet.routing.router import cutoff, pooled_statistics, route

NODES = 100
QUESTIONS = 150  # of each set
ASKED = (3, 5, 10, 20)
K = 10
WORDS_WEIGHT = 0.5  # of the baseline, against a cosine
FIGURES_BY = "dense"  # the ranking that figures are about, as in published measurements; both are in the details

Kept = dict[str, dict[str, dict[int, list[float]]]]  # ranking -> router -> nodes asked -> recall of each question


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few nodes and documents: does it work at all?")
    quick = parser.parse_args().quick
    embedder = load_embedder()
    assert isinstance(embedder, PartEmbedder)
    all_nodes = world(
        embedder, SETS[:1] if quick else SETS, questions=20 if quick else QUESTIONS, documents=200 if quick else 0
    )
    nodes = 12 if quick else NODES
    print(f"{len(all_nodes.documents)} documents, {len(all_nodes.questions)} questions", flush=True)
    splits = {"topical": by_topic(all_nodes.vectors, nodes), "random": at_random(all_nodes.vectors, nodes)}
    found = {name: run(name, all_nodes, owners) for name, owners in splits.items()}
    if not quick:
        sources = world(embedder, ("medquad",), questions=QUESTIONS)
        names = sorted({document.owner for document in sources.documents})
        owners = np.array([names.index(document.owner) for document in sources.documents])
        found["medquad's sources"] = run("medquad's sources", sources, owners)
    kept = {name: each["kept"][FIGURES_BY] for name, each in found.items()}
    fused = {name: each["kept"]["fused"]["learnt"] for name, each in found.items()}
    gains = [
        kept[name]["learnt"][asked] - kept[name]["64 + sketch"][asked]
        for name, asked in (("topical", "5"), ("random", "10"))
    ]
    figures = {
        "topical_recall_at_5_asked": kept["topical"]["learnt"]["5"],
        "random_recall_at_10_asked": kept["random"]["learnt"]["10"],
        "over_baseline": min(gains),
        "topical_fused_at_5_asked": fused["topical"]["5"],
        "random_fused_at_10_asked": fused["random"]["10"],
    }
    figures = {name: round(value, 4) for name, value in figures.items()}
    details = {"nodes": nodes, "documents": len(all_nodes.documents), "questions": len(all_nodes.questions)}
    report("routing-quick" if quick else "routing", figures, details | {"splits": found}, picture(kept))


def run(name: str, here: World, owners: Ids) -> dict[str, Any]:
    """Return the recall kept by every router for every number of nodes, and the cost of routing."""
    held = [np.flatnonzero(owners == node) for node in range(int(owners.max()) + 1)]
    started = time.perf_counter()
    views = [node_view(here, node, rows) for node, rows in enumerate(held)]
    print(f"{name}: {len(views)} cards in {time.perf_counter() - started:.0f} s", flush=True)
    centroids = {count: [coarse(here.vectors[rows], count) for rows in held] for count in (1, 16)}
    results: Kept = {ranking: defaultdict(lambda: defaultdict(list)) for ranking in ("dense", "fused")}
    central: dict[str, list[float]] = defaultdict(list)
    milliseconds, counts = [], []
    for number, question in enumerate(here.questions):
        started = time.perf_counter()
        routes = route(Query(question.text, {here.cid: here.asked[number]}, Options(max_nodes="all")), views)
        milliseconds.append(1000 * (time.perf_counter() - started))
        counts.append(cutoff(routes))
        orders = others(here, number, views, centroids) | {"learnt": [each.node for each in routes]}
        for ranking, scores in here.scores(number).items():
            central[ranking].append(recall(scores, here.answers[number], np.ones(len(scores), bool)))
            for router, order in orders.items():
                for asked in ASKED:
                    queried = np.isin(owners, order[:asked])
                    results[ranking][router][asked].append(recall(scores, here.answers[number], queried))
            queried = np.isin(owners, orders["learnt"][: counts[-1]])
            results[ranking]["learnt, as many as matter"][0].append(recall(scores, here.answers[number], queried))
        if number % 200 == 199:
            print(f"{name}: {number + 1} of {len(here.questions)} questions", flush=True)
    request = encode(
        SearchRequest(
            question="x" * 60, client=b"c" * 20, salt=b"s" * 16, space=here.cid, vector=here.asked[0].tobytes()
        )
    )
    summary: dict[str, Any] = {
        "central_recall_at_10": {ranking: round(float(np.mean(values)), 4) for ranking, values in central.items()},
        "kept": {
            ranking: {
                router: {str(asked): round(float(np.mean(v) / np.mean(central[ranking])), 4) for asked, v in by.items()}
                for router, by in routers.items()
            }
            for ranking, routers in results.items()
        },
        "learnt_over_baseline_95": {
            str(asked): interval(
                np.array(results["fused"]["learnt"][asked]) - np.array(results["fused"]["64 + sketch"][asked])
            )
            for asked in ASKED
        },
        "nodes_asked_when_as_many_as_matter": round(float(np.mean(counts)), 2),
        "cost": {
            "route_ms_p50": round(float(np.median(milliseconds)), 2),
            "card_bytes_mean": round(float(np.mean([len(encode(view.card)) for view in views]))),
            "request_bytes": len(request),
            "messages_a_node_asked": 2,
        },
    }
    for ranking, routers in summary["kept"].items():
        for router, line in routers.items():
            print(f"{name:18} {ranking:6} {router:26} {line}", flush=True)
    print(
        f"{name:18} {summary['cost']}, {summary['nodes_asked_when_as_many_as_matter']} nodes asked on average",
        flush=True,
    )
    return summary


def recall(scores: Rows, answers: Sequence[int], queried: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Return the share of relevant documents among the best `K` of the documents at queried nodes."""
    there = scores[queried]
    least = np.partition(there, -K)[-K] if len(there) > K else -np.inf
    return float(np.mean([bool(queried[row]) and scores[row] >= least for row in answers]))


def others(
    here: World, number: int, views: Sequence[NodeView], centroids: Mapping[int, Sequence[Vectors]]
) -> dict[str, list[int]]:
    """Return the nodes in the order of each baseline router."""
    vector = here.asked[number]
    topic = {count: np.array([float((own @ vector).max()) for own in nodes]) for count, nodes in centroids.items()}
    topic[64] = np.array([float((view.centroids @ vector).max()) for view in views])
    words = cori(here.questions[number].text, views)
    orders = {
        "1 centroid": topic[1],
        "16 centroids": topic[16],
        "64 centroids": topic[64],
        "CORI": words,
        "64 + sketch": topic[64] + WORDS_WEIGHT * words,
    }
    return {name: np.argsort(-values, kind="stable").tolist() for name, values in orders.items()}


def cori(question: str, views: Sequence[NodeView]) -> Rows:
    """Return the belief in each collection (Callan et al., 1995): idf-weighted terms, saturating in df."""
    terms = list(dict.fromkeys(tokens(question)))
    statistics = pooled_statistics(views, terms)
    idf = np.array([statistics.idf(term) for term in terms])
    df = np.array([[view.df.get(term_hash(term), 0) for term in terms] for view in views], float)
    common = 1.0 + np.log1p(np.array([view.card.chunks for view in views]) / 50)
    return np.asarray((df / (df + common[:, None])) @ idf / max(float(idf.sum()), 1e-9))


def picture(kept: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    figure = Figure(figsize=(5 * len(kept), 4))
    for axes, (name, routers) in zip(figure.subplots(1, len(kept), squeeze=False)[0], kept.items(), strict=True):
        for router, line in routers.items():
            if len(line) > 1:
                axes.plot([int(asked) for asked in line], list(line.values()), marker="o", label=router)
        axes.set(title=name, xlabel="nodes asked", ylabel="central recall@10 kept", ylim=(0.3, 1.02))
        axes.legend(fontsize=7)
    figure.tight_layout()
    return figure


if __name__ == "__main__":
    main()
