"""Run the benchmark of merging."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import bm25s
import numpy as np
import numpy.typing as npt

from benchmarks.harness import bars, report
from benchmarks.passages import Passage, Question, by_article, embedded, squad
from benchmarks.ranking import interval
from knet.embed.base import Vectors
from knet.embed.load import load_embedder
from knet.index.analyser import tokens
from knet.index.lexical import K1, B, document_frequency
from knet.search.fusion import WEIGHTS, calibrated

NODES = 20
QUESTIONS = 1000
SENT = 10  # passages of each node: all that could be among the best ten
K = 10
TOPICS = 128  # dimensions of the second space
SHARED = 0.7  # cosine of unrelated texts in the second space
POWER = 4  # iterations of the randomised SVD behind it
SEED = 7

Rows = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Way = Callable[[Rows, Ids, Ids], Rows]  # scores, node and space of every candidate in, comparable scores out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few nodes and questions: does it work at all?")
    quick = parser.parse_args().quick
    passages, questions = squad(120 if quick else 0, 30 if quick else QUESTIONS)
    embedder = load_embedder()
    vectors = embedded([passage.text for passage in passages], embedder)
    asked = embedded([question.text for question in questions], embedder, query=True)
    topics, asked_topics = latent([tokens(p.text) for p in passages], [tokens(q.text) for q in questions])
    rows = {passage.id: row for row, passage in enumerate(passages)}
    held = [np.array([rows[p.id] for p in own]) for own in by_article(passages, 4 if quick else NODES) if own]
    gold = [rows[question.gold] for question in questions]
    words = lexical(passages, questions)
    one, two = [vectors @ asked.T], [vectors @ asked.T, topics @ asked_topics.T]
    found = {
        "one space": run(one, words, held, gold, lambda node: 0),
        "two spaces": run(two, words, held, gold, lambda node: node % 2),
    }
    scores: dict[str, dict[str, Any]] = {}
    for setting, ways in found.items():
        for way, hits in ways.items():
            scores[f"{setting}, {way}"] = {"recall@10": round(float(hits.mean()), 4), "95 %": interval(hits)}
            print(f"{setting:10} {way:28} {scores[f'{setting}, {way}']}", flush=True)
    central = scores["one space, one index"]["recall@10"]
    figures = {
        "raw_recall_kept": round(scores["one space, raw"]["recall@10"] / central, 4),
        "calibrated_over_raw_two_spaces": round(
            scores["two spaces, calibrated by space"]["recall@10"] - scores["two spaces, raw"]["recall@10"], 4
        ),
    }
    details = {"nodes": len(held), "passages": len(passages), "questions": len(questions), "scores": scores}
    recalls = {name: line["recall@10"] for name, line in scores.items()}
    picture = bars(recalls, label="recall@10", title="merging the best of every node", limits=(0, 1.1))
    report("merge-quick" if quick else "merge", figures, details, picture)


def run(
    spaces: list[npt.NDArray[np.float32]], words: Rows, held: list[Ids], gold: list[int], space_of: Callable[[int], int]
) -> dict[str, Rows]:
    """Return True where the relevant passage is among the best ten, by merge and question. ``spaces`` and ``words`` are
    ``(passages, questions)``."""
    kept: defaultdict[str, list[float]] = defaultdict(list)
    for number, right in enumerate(gold):
        rows: list[Ids] = []
        nodes: list[Ids] = []
        for at, own in enumerate(held):
            cosines = spaces[space_of(at)][own, number]
            best = own[np.argsort(-cosines, kind="stable")[:SENT]]
            rows.append(best)
            nodes.append(np.full(len(best), at))
        sent, node = np.concatenate(rows), np.concatenate(nodes)
        space = np.array([space_of(each) for each in node.tolist()])
        cosine = np.choose(space, [each[sent, number] for each in spaces]).astype(float)
        for name, way in WAYS.items():
            kept[name].append(hit(way(cosine, node, space), sent, right))
        for name in ("raw", "calibrated by space", "softmax a node"):
            dense = calibrated(WAYS[name](cosine, node, space))
            fused = WEIGHTS["dense"] * dense + (1 - WEIGHTS["dense"]) * calibrated(words[sent, number])
            kept[f"{name} + BM25"].append(hit(fused, sent, right))
        kept["one index"].append(float((spaces[0][:, number] > spaces[0][right, number]).sum() < K))
    return {name: np.array(values) for name, values in kept.items()}


def hit(scores: Rows, rows: Ids, right: int) -> float:
    return float(right in rows[np.argsort(-scores, kind="stable")[:K]])


# --- ways to make scores comparable ------------------------------------------------------------------------------


def within(groups: Ids, values: Rows, change: Callable[[Rows], Rows]) -> Rows:
    """Apply ``change`` to each group alone."""
    result = np.zeros_like(values)
    for group in np.unique(groups):
        result[groups == group] = change(values[groups == group])
    return result


def softmax(values: Rows) -> Rows:
    likely = np.exp((values - values.max()) / 0.05)  # a temperature that leaves cosines some spread
    return np.asarray(likely / likely.sum())


def min_max(values: Rows) -> Rows:
    return np.asarray((values - values.min()) / max(float(values.max() - values.min()), 1e-9))


def ranks(values: Rows) -> Rows:
    return np.asarray(-np.argsort(np.argsort(-values, kind="stable")).astype(float))


WAYS: Mapping[str, Way] = {
    "raw": lambda cosine, node, space: cosine,
    "calibrated by space": lambda cosine, node, space: within(space, cosine, calibrated),
    "softmax a node": lambda cosine, node, space: within(node, cosine, softmax),
    "min-max a node": lambda cosine, node, space: within(node, cosine, min_max),
    "rank a node": lambda cosine, node, space: within(node, cosine, ranks),
}


# --- the second space, and words -----------------------------------------------------------------------------------


def latent(passages: list[list[str]], questions: list[list[str]]) -> tuple[Vectors, Vectors]:
    """Return unit vectors of both by latent semantic analysis, whose cosines have another scale.

    All of them share a direction, as those of several embedding models do, so that unrelated texts have `SHARED`.
    """
    counts = document_frequency(passages)
    terms = {term: column for column, term in enumerate(sorted(t for t, df in counts.items() if df > 1))}
    idf = np.array([np.log(len(passages) / counts[term]) for term in terms])

    def weighted(texts: list[list[str]]) -> npt.NDArray[np.float32]:
        rows = np.zeros((len(texts), len(terms)), np.float32)
        for row, text in enumerate(texts):
            for word in text:
                if word in terms:
                    rows[row, terms[word]] += 1
        return np.asarray(np.log1p(rows) * idf, np.float32)

    matrix = weighted(passages)
    basis = np.random.default_rng(SEED).normal(size=(len(terms), min(TOPICS, *matrix.shape))).astype(np.float32)
    for _ in range(POWER):
        basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0]
    found, asked = matrix @ basis, weighted(questions) @ basis
    return sharing(unit(found)), sharing(unit(asked))


def sharing(rows: Vectors) -> Vectors:
    """Return the rows with one more dimension, equal in all rows."""
    common = np.full((len(rows), 1), np.sqrt(SHARED / (1 - SHARED)), np.float32)
    return unit(np.concatenate([rows, common], 1))


def unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def lexical(passages: list[Passage], questions: list[Question]) -> Rows:
    """Return ``(passages, questions)``: BM25 with statistics of all passages, as clients compute it."""
    index = bm25s.BM25(k1=K1, b=B)
    index.index([tokens(passage.text) for passage in passages], show_progress=False)
    columns = []
    for question in questions:
        known = [term for term in dict.fromkeys(tokens(question.text)) if term in index.vocab_dict]
        columns.append(index.get_scores(known) if known else np.zeros(len(passages)))
    return np.stack(columns, 1).astype(float)


if __name__ == "__main__":
    main()
