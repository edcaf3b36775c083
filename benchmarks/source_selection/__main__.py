"""Run the benchmark of source selection."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.harness import bars, data, report
from benchmarks.passages import SEED, embedded
from benchmarks.ranking import Rows, interval, means, ndcg, precision
from knet.embed.base import Vectors
from knet.embed.load import load_embedder
from knet.trust.usefulness import Usefulness

TRAINING = 0.3  # of the requests
SPLITS = 10
NEIGHBOURS = (5, 10, 20, 40)  # of the baseline; its best on each protocol is what counts against us

Ids = npt.NDArray[np.int64]
Method = Callable[["Log", Ids, Ids], Rows]  # training and test rows in, (test, engines) scores out


class Log(NamedTuple):
    """``vectors`` of the requests, ``grades (requests, engines)``, ``described`` vectors of their own words."""

    vectors: Vectors
    grades: Rows
    described: Vectors
    origins: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source_selection", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two splits instead of ten")
    quick = parser.parse_args().quick
    log = read()
    protocols = {"random": list(at_random(len(log.origins), 2 if quick else SPLITS)), "unseen": list(unseen(log))}
    methods = the_methods()
    found = {}
    for protocol, splits in protocols.items():
        for name, method in methods.items():
            found[protocol, name] = measured(log, method, splits)
            print(f"{protocol:8} {name:24} {means(found[protocol, name])}", flush=True)
    neighbours = [f"nearest {k} of the log" for k in NEIGHBOURS]
    best = {
        protocol: max(neighbours, key=lambda name: found[protocol, name]["ndcg@10"].mean()) for protocol in protocols
    }
    over = {
        f"{protocol} over {other}": interval(found[protocol, "learnt"]["ndcg@10"] - found[protocol, other]["ndcg@10"])
        for protocol in protocols
        for other in ("prior", best[protocol])
    }
    figures = {
        "random_split_ndcg": means(found["random", "learnt"])["ndcg@10"],
        "leave_one_out_ndcg": means(found["unseen", "learnt"])["ndcg@10"],
    }
    scores = {f"{protocol}, {name}": means(values) for (protocol, name), values in found.items()}
    details = {"scores": scores, "ndcg_difference_95": over, "requests": len(log.origins), "training": TRAINING}
    for name, line in over.items():
        print(f"learnt, {name}: {line}")
    gained = {name: line["ndcg@10"] for name, line in scores.items()}
    picture = bars(gained, label="nDCG@10", title="16 engines, 790 requests", limits=(0.5, 1.0))
    report("source_selection-quick" if quick else "source_selection", figures, details, picture)


def read() -> Log:
    requests, engines = list(data("feb4rag.requests")), list(data("feb4rag.engines"))
    graded = {each["id"]: each["engines"] for each in data("feb4rag.selection")}
    embedder = load_embedder()
    return Log(
        embedded([each["text"] for each in requests], embedder, query=True),
        np.array([[graded[each["id"]].get(engine["name"], 0.0) for engine in engines] for each in requests]),
        embedded([engine["Description"] for engine in engines], embedder),
        [each["origin"] for each in requests],
    )


def at_random(count: int, splits: int) -> Iterator[tuple[Ids, Ids]]:
    for number in range(splits):
        shuffled = np.random.default_rng(SEED + number).permutation(count)
        yield shuffled[: int(TRAINING * count)], shuffled[int(TRAINING * count) :]


def unseen(log: Log) -> Iterator[tuple[Ids, Ids]]:
    """Yield splits by origin: requests of one origin are tested, the others train."""
    origins = np.array(log.origins)
    for origin in sorted(set(log.origins)):
        yield np.flatnonzero(origins != origin), np.flatnonzero(origins == origin)


def the_methods() -> dict[str, Method]:
    methods: dict[str, Method] = {
        "prior": lambda log, known, asked: np.tile(shares(log.grades[known]).mean(0), (len(asked), 1)),
        "description": lambda log, known, asked: np.asarray(log.vectors[asked] @ log.described.T),
    }
    for k in NEIGHBOURS:
        methods[f"nearest {k} of the log"] = nearest(k)
    methods["learnt"] = lambda log, known, asked: Usefulness.fit(
        log.vectors[known], shares(log.grades[known]), log.described
    ).predict(log.vectors[asked])
    return methods


def nearest(k: int) -> Method:
    """Return the mean over the nearest requests of the log, weighted by cosine."""

    def method(log: Log, known: Ids, asked: Ids) -> Rows:
        cosines = log.vectors[asked] @ log.vectors[known].T
        rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        weights = np.maximum(np.take_along_axis(cosines, rows, 1), 1e-6)[:, :, None]
        return np.asarray((weights * shares(log.grades[known])[rows]).sum(1) / weights.sum(1))

    return method


def shares(grades: Rows) -> Rows:
    """Return grades relative to the best engine of the same request."""
    return np.asarray(grades / np.maximum(grades.max(1, keepdims=True), 1.0))


def measured(log: Log, method: Method, splits: Sequence[tuple[Ids, Ids]]) -> dict[str, Rows]:
    """Return each measure of every request."""
    kept: dict[str, list[Rows]] = {"ndcg@10": [], "nP@1": [], "nP@5": []}
    for known, asked in splits:
        scores, grades = method(log, known, asked), log.grades[asked]
        kept["ndcg@10"].append(ndcg(scores, grades))
        kept["nP@1"].append(precision(scores, grades, 1))
        kept["nP@5"].append(precision(scores, grades, 5))
    return {name: np.concatenate(values) for name, values in kept.items()}


if __name__ == "__main__":
    main()
