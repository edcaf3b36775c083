"""Run the benchmark of fusion."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.corpora import corpus, sampled
from benchmarks.fusion.bench import Bench, Scores, dealt, make_bench, top
from benchmarks.harness import report
from benchmarks.listnet import learn_weights
from benchmarks.ranking import Rows, interval, means
from knet.embed.base import PartEmbedder
from knet.embed.load import load_embedder
from knet.routing.options import Options
from knet.routing.query import Query, Selection
from knet.search.fusion import WEIGHTS, calibrated
from knet.search.merge import FeatureColumn, Features, Feedback, columns_of, merge
from knet.search.verify_reply import VerifiedHit

TESTED = 0.2  # of the questions of each SQuAD paragraph
LEARNT_FROM = 400  # questions of each set that weights are learnt from
LIMITS = {"squad_dev": 1000, "scifact": 0, "medquad": 500, "liveqa": 0}  # questions tested (0: all)
K = 10
RRF = 60  # the constant of Cormack, Clarke and Büttcher (2009)
FAST = ("dense", "bm25", "focus", "phrase")
MEASURES = ("hit@1", "recall@10", "ndcg@10", "mrr")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small set: does it work at all?")
    parser.add_argument("--learn", action="store_true", help="learn the weights again, from questions never tested")
    chosen = parser.parse_args()
    embedder = load_embedder()
    assert isinstance(embedder, PartEmbedder)
    if chosen.learn:
        print_weights(embedder, chosen.quick)
        return
    names = ["squad_dev"] if chosen.quick else list(LIMITS)
    scores: dict[str, dict[str, Any]] = {}
    worst: dict[str, tuple[float, float]] = {}
    for name in names:
        bench = the_bench(name, embedder, "test", chosen.quick)
        measured = run(bench)
        scores[name] = {way: with_intervals(values) for way, values in measured.items()}
        for way, line in scores[name].items():
            print(f"{name:10} {way:28} {line}", flush=True)
        worst[name] = against_best(bench, measured)
        print(f"{name:10} nDCG@10 over the best single retriever: {worst[name]}", flush=True)
    figures = {
        "squad_hit_at_1": scores["squad_dev"]["all"]["hit@1"],
        "worst_delta_vs_best_member": min(high for _, high in worst.values()),
    }
    details = {"weights": dict(WEIGHTS), "scores": scores, "over_best_single_95": worst}
    report("fusion-quick" if chosen.quick else "fusion", figures, details, picture(scores))


def the_bench(name: str, embedder: PartEmbedder, part: str, quick: bool = False) -> Bench:
    """Return a set with the questions to ``test`` or to ``learn`` from. The two and the known ones are disjoint."""
    whole = corpus(name, documents=100 if quick else 0)
    limit = LIMITS[name] if part == "test" else LEARNT_FROM
    if name == "squad_dev":
        test, learn, rest = dealt(whole.questions, TESTED)
        if part == "test":
            return make_bench(whole, sampled(test, limit), embedder, known=[*learn, *rest])
        return make_bench(whole, sampled(learn, limit), embedder, known=rest)
    if name == "scifact":
        return make_bench(
            whole, sampled([q for q in whole.questions if (q.split == "test") == (part == "test")], limit), embedder
        )
    if name == "medquad":
        return make_bench(whole, sampled(whole.questions[part == "test" :: 2], limit), embedder)
    return make_bench(whole, sampled(whole.questions, limit), embedder)


def run(bench: Bench) -> dict[str, dict[str, Rows]]:
    """Return the measures of every method and question."""
    kept: dict[str, list[tuple[float, ...]]] = {}
    spent = 0.0
    for number in range(len(bench.questions)):
        singles = bench.singles(number)
        relevant = bench.relevant(number)
        rankings = {name: top(values, K) for name, values in singles.items()}
        rankings["rank fusion"] = rank_fusion(singles)
        hits = bench.candidates(number, singles)
        started = time.perf_counter()
        rankings |= fused(bench, number, hits)
        spent += time.perf_counter() - started
        for name, ranking in rankings.items():
            kept.setdefault(name, []).append(measures_of(ranking, relevant))
        if number % 500 == 499:
            print(f"{bench.name}: {number + 1} of {len(bench.questions)} questions", flush=True)
    print(f"{bench.name}: {1000 * spent / len(bench.questions):.2f} ms a question for all ways to fuse", flush=True)
    return {name: dict(zip(MEASURES, np.array(values).T, strict=True)) for name, values in kept.items()}


def fused(bench: Bench, number: int, hits: Sequence[VerifiedHit]) -> dict[str, list[int]]:
    """Return the rankings of knet's merge, with an increasing number of columns."""

    def merged(
        names: Sequence[str], *, known: bool = False, rerank: Mapping[str, FeatureColumn] | None = None
    ) -> list[int]:
        query = Query(bench.questions[number].text, {}, Options(k=K, retrievers=tuple(names), collapse=False))
        selection = Selection([], 0, {}, {}, bench.statistics)
        feedback = Feedback(answered=bench.answered if known else {})
        found = merge(query, hits, selection, feedback, Features(rerank=rerank or {}))
        return [each.checked.hit.chunk for each in found]

    sentences = bench.sentences(number)
    rerank: dict[str, FeatureColumn] = {
        "sentence": lambda _, few: np.array([sentences[hit.hit.chunk] for hit in few], float)
    }
    ways = {
        "dense + BM25": merged(("dense", "bm25")),
        "default": merged(FAST),
        "rerank_sentences": merged((*FAST, "sentence"), rerank=rerank),
    }
    if bench.known:
        ways["default, known questions"] = merged(FAST, known=True)
    ways["all"] = merged((*FAST, "sentence"), known=True, rerank=rerank)
    return ways


def rank_fusion(singles: Mapping[str, Scores]) -> list[int]:
    total: dict[int, float] = {}
    for name in ("dense", "BM25"):
        for place, row in enumerate(top(singles[name], 100), 1):
            total[row] = total.get(row, 0.0) + 1 / (RRF + place)
    return sorted(total, key=lambda row: (-total[row], row))[:K]


def measures_of(ranking: Sequence[int], relevant: Mapping[int, int]) -> tuple[float, ...]:
    grades = np.array([relevant.get(row, 0) for row in ranking], float)
    best = np.sort(list(relevant.values()))[::-1][:K]
    discounts = 1 / np.log2(np.arange(2, K + 2))
    places = np.flatnonzero(grades)
    return (
        float(grades[:1].any()),
        float((grades > 0).sum() / min(len(relevant), K)),
        float(grades @ discounts[: len(grades)] / (best @ discounts[: len(best)])),
        float(1 / (places[0] + 1)) if len(places) else 0.0,
    )


def with_intervals(measured: Mapping[str, Rows]) -> dict[str, Any]:
    return means(measured) | {f"{name} 95 %": interval(values) for name, values in measured.items()}


def against_best(bench: Bench, measured: Mapping[str, Mapping[str, Rows]]) -> tuple[float, float]:
    """Return the interval of the gain in nDCG@10 of all columns over the best single retriever."""
    alone = bench.singles(0)
    best = max(alone, key=lambda name: measured[name]["ndcg@10"].mean())
    return interval(measured["all"]["ndcg@10"] - measured[best]["ndcg@10"])


# --- learning ----------------------------------------------------------------------------------------------------


def print_weights(embedder: PartEmbedder, quick: bool) -> None:
    """Learn weights from training questions of three sets; the fourth is held out."""
    examples: dict[str, list[Any]] = {"dense": [], "sentence": []}
    for name in ["squad_dev"] if quick else ["squad_dev", "scifact", "medquad"]:
        bench = the_bench(name, embedder, "learn", quick)
        for columns, sentence, gains in lists(bench):
            examples["dense"].append((columns, gains))
            examples["sentence"].append(({"sentence": sentence} | {n: columns[n] for n in FAST[1:]}, gains))
        for kind, found in examples.items():
            learnt = learn_weights(found, strength=0.0)
            print(f"after {name}: {kind} { ({each: round(weight, 3) for each, weight in learnt.items()}) }", flush=True)


def lists(bench: Bench) -> Iterator[tuple[dict[str, Rows], Rows, Rows]]:
    """Yield columns, best sentences and usefulness of each question's candidates, unless none is useful."""
    for number in range(len(bench.questions)):
        hits = bench.candidates(number, bench.singles(number))
        raw = columns_of(bench.questions[number].text, hits, bench.statistics, bench.answered)
        relevant, sentences = bench.relevant(number), bench.sentences(number)
        gains = np.array([float(relevant.get(hit.hit.chunk, 0)) for hit in hits])
        if gains.any():
            best = np.array([sentences[hit.hit.chunk] for hit in hits], float)
            yield {name: calibrated(values) for name, values in raw.items()}, calibrated(best), gains


def picture(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    figure = Figure(figsize=(5 * len(scores), 4.5))
    for axes, (name, ways) in zip(figure.subplots(1, len(scores), squeeze=False)[0], scores.items(), strict=True):
        values = [line["ndcg@10"] for line in ways.values()]
        low, high = np.array([line["ndcg@10 95 %"] for line in ways.values()]).T
        axes.barh(list(ways), values, xerr=[values - low, high - values], color="tab:blue", alpha=0.7)
        axes.invert_yaxis()
        axes.set(title=name, xlabel="nDCG@10", xlim=(max(0.0, min(low) - 0.1), 1))
    figure.tight_layout()
    return figure


if __name__ == "__main__":
    main()
