"""Run the benchmark of models of shards."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.dsi.fusion import Searcher, Weights, fit_weights, interval, reciprocal_ranks
from benchmarks.dsi.merges import measured
from benchmarks.dsi.split import HELD_OUT, Ensemble, asked, at_random, by_kmeans, held_out, train
from benchmarks.harness import report
from benchmarks.passages import Question, embedded, squad
from knet.dsi.corpus import Passages, Questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.examples import Settings
from knet.embed.base import Vectors
from knet.embed.load import load_embedder

SHARDS = (1, 4, 10)
FUSED = 4  # k-means shards whose models are fused with BM25 and dense
SPLITS = {"k-means": by_kmeans, "random": at_random}
TIMED = 200  # searches


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dsi", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few passages, short training: does it work at all?")
    quick = parser.parse_args().quick
    settings = Settings(epochs=1) if quick else Settings()
    paragraphs, questions = squad(120 if quick else 0)
    embedder = load_embedder()
    vectors = embedded([each.text for each in paragraphs], embedder)
    passages = Passages([each.id for each in paragraphs], [each.text for each in paragraphs], vectors)
    given = embedded([each.text for each in questions], embedder, query=True)
    training, testing = held_out(questions, range(len(questions)), HELD_OUT)
    pairs, tests = asked(questions, given, training), asked(questions, given, testing)
    print(f"{len(passages.ids)} passages, {len(training)} questions to train on, {len(testing)} held out", flush=True)
    found: dict[str, Any] = {}
    fused: Ensemble | None = None
    for shards in SHARDS[:2] if quick else SHARDS:
        for name, split in SPLITS.items() if shards > 1 else [("one", by_kmeans)]:
            ensemble = train(f"{shards} shards, {name}", passages, pairs, shards, split, settings)
            homes = dict(zip(passages.ids, ensemble.shard.tolist(), strict=True))
            found[f"{shards} {name}"] = measured(ensemble, tests, [homes[pair.docid] for pair in tests.pairs])
            for merge, line in found[f"{shards} {name}"].items():
                print(f"  {merge:14} {line}", flush=True)
            if (shards, name) == (FUSED, "k-means"):
                fused = ensemble
    assert fused is not None
    gain = gained(fused, passages, questions, given, training, tests, settings)
    print(f"fusion: {gain}", flush=True)
    kmeans = found[f"{FUSED} k-means"]
    figures = {
        "share_of_oracle_mrr": round(kmeans["ours"]["mrr"] / max(kmeans["oracle shard"]["mrr"], 1e-9), 4),
        "fusion_gain_mrr": gain["gain"],
        "fusion_gain_low": gain["low"],
    }
    details = {
        "passages": len(passages.ids),
        "trained_on": len(training),
        "held_out": len(testing),
        "settings": settings._asdict(),
        "shards": found,
        "fusion": gain,
        "milliseconds_a_search": {"beam 10": timed(fused, tests, 10), "beam 50": timed(fused, tests, 50)},
        "load_average": os.getloadavg(),
    }
    report("dsi-quick" if quick else "dsi", figures, details, picture(found))


def gained(
    ensemble: Ensemble,
    passages: Passages,
    questions: list[Question],
    vectors: Vectors,
    training: list[int],
    tests: Questions,
    settings: Settings,
) -> dict[str, float]:
    """Return the MRR of BM25 + dense, and with the models; the weights come from held-out training questions."""
    kept, apart = held_out(questions, training, HELD_OUT)
    pairs = asked(questions, vectors, kept)
    rehearsal = train("for the weights of the fusion", passages, pairs, FUSED, by_kmeans, settings)
    validation = asked(questions, vectors, apart)
    searcher = Searcher(passages, rehearsal.models)
    weights = fit_weights(list(searcher.pools(validation, models=False)), list(searcher.pools(validation, models=True)))
    searcher = Searcher(passages, ensemble.models)
    before = reciprocal_ranks(list(searcher.pools(tests, models=False)), weights)
    after = reciprocal_ranks(list(searcher.pools(tests, models=True)), weights)
    alone = reciprocal_ranks(list(searcher.pools(tests, models=True)), Weights(weights.bm25, 1.0))
    low, high = interval(after - before)
    return {
        "bm25_dense": round(float(before.mean()), 4),
        "with_models": round(float(after.mean()), 4),
        "models_alone": round(float(alone.mean()), 4),
        "gain": round(float((after - before).mean()), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "weight_bm25": round(weights.bm25, 2),
        "weight_models": round(weights.models, 2),
    }


def timed(ensemble: Ensemble, questions: Questions, beam: int) -> float:
    """Return the median milliseconds of a search in one model."""
    retriever = DsiRetriever(ensemble.models[:1])
    spent = []
    for pair, vector in zip(questions.pairs[:TIMED], questions.vectors, strict=False):
        began = time.perf_counter()
        retriever.search(pair.question, vector, k=beam, beam=beam)
        spent.append(time.perf_counter() - began)
    return round(1000 * float(np.median(spent)), 2)


def picture(found: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(8, 4))
    axes = figure.subplots()
    places = np.arange(len(found))
    for offset, merge in enumerate(("oracle shard", "softmax sum", "ours")):
        bars = axes.bar(
            places + 0.27 * (offset - 1), [each[merge]["mrr"] for each in found.values()], 0.26, label=merge
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    axes.set_xticks(places, [f"{name}" for name in found])
    axes.set(ylim=(0, 1.05), ylabel="MRR", title="models of shards, asked together")
    axes.legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main()
