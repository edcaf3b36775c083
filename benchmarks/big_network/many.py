"""Routing over a hundred thousand nodes: latency, cost and recall."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.big_network.made import CardData, made
from knet.codec import Cid, cid_of, from_json, to_json
from knet.index.analyser import tokens
from knet.index.lexical import term_hash
from knet.records import Space
from knet.routing.card_index import CardFeatures
from knet.routing.features import FEATURES, WIDTH, features, routing_scores
from knet.routing.large.segment import read_segment, write_segment
from knet.routing.large.summary import CardSummary, summarize_card
from knet.routing.large.summary_index import Terms
from knet.routing.large.summary_store import SEGMENT_NODES, SummaryStore
from knet.routing.large.two_stage import Overview, route_summaries
from knet.routing.query import Query

BLOCK = 64  # nodes made at once
LEARNT_FROM = 500  # nodes
LOOKED = 5000  # nodes whose cards are compared at once by the reference
FIRST = 10  # nodes that routing over all full cards would ask
BOTH, MASS = FEATURES.index("both"), FEATURES.index("mass")
WARM_UP = 20  # questions asked before any is timed

Rows = npt.NDArray[np.float64]


class Kept(NamedTuple):
    """Data of some nodes' full cards that the reference routing needs for the questions."""

    summaries: list[CardSummary]
    cosine: npt.NDArray[np.float32]  # (nodes, questions, 64)
    place: npt.NDArray[np.uint64]  # (nodes, terms)
    weight: npt.NDArray[np.uint32]  # (nodes, 64)


class FullCards(NamedTuple):
    """Data of the full cards of all nodes, without summaries."""

    cosine: npt.NDArray[np.float32]
    place: npt.NDArray[np.uint64]
    weight: npt.NDArray[np.uint32]


def question_terms(data: CardData) -> npt.NDArray[np.uint32]:
    """Return the sorted hashes of every term of every question."""
    return np.array(sorted({term_hash(term) for text in data.questions for term in tokens(text)}), np.uint32)


_data: CardData | None = None


def _begin(data: CardData) -> None:
    global _data
    _data = data


def _make(first: int, last: int) -> Kept:
    assert _data is not None
    terms = question_terms_of_process()
    count, asked = last - first, len(_data.questions)
    kept = Kept(
        [],
        np.full((count, asked, 64), -1, np.float32),
        np.zeros((count, len(terms)), np.uint64),
        np.zeros((count, 64), np.uint32),
    )
    for number, node in enumerate(range(first, last)):
        view = made(_data, node)
        summary = summarize_card(view)
        kept.summaries.append(summary)
        kept.cosine[number, :, : len(view.centroids)] = _data.asked @ view.centroids.T
        kept.weight[number, : len(summary.weight)] = summary.weight
        at = np.searchsorted(summary.terms, terms)
        there = at < len(summary.terms)
        there[there] = summary.terms[at[there]] == terms[there]
        kept.place[number, there] = summary.places[at[there]]
    return kept


@cache
def question_terms_of_process() -> npt.NDArray[np.uint32]:
    assert _data is not None
    return question_terms(_data)


def build(data: CardData, nodes: int, folder: Path, scratch: Path) -> FullCards:
    """Summarise nodes 1 to ``nodes`` into ``folder``; write the reference's data to files in ``scratch``."""
    terms, asked = question_terms(data), len(data.questions)
    cards = FullCards(
        np.lib.format.open_memmap(scratch / "cosine.npy", "w+", np.float32, (nodes, asked, 64)),
        np.lib.format.open_memmap(scratch / "place.npy", "w+", np.uint64, (nodes, len(terms))),
        np.lib.format.open_memmap(scratch / "weight.npy", "w+", np.uint32, (nodes, 64)),
    )
    store = SummaryStore(folder)
    store.learn(data.space, [made(data, node) for node in range(1, min(nodes, LEARNT_FROM) + 1)])
    waiting: list[tuple[Cid, CardSummary]] = []
    started = time.perf_counter()
    for first, kept in _made_blocks(data, nodes):
        run = slice(first - 1, first - 1 + len(kept.summaries))
        cards.cosine[run], cards.place[run], cards.weight[run] = kept.cosine, kept.place, kept.weight
        waiting += [(data.cid, summary) for summary in kept.summaries]
        if len(waiting) >= SEGMENT_NODES or run.stop == nodes:
            store.add(waiting)
            waiting = []
            print(f"{len(store)} of {nodes} nodes in {time.perf_counter() - started:.0f} s", flush=True)
    store.close()
    return cards


def _made_blocks(data: CardData, nodes: int) -> Iterator[tuple[int, Kept]]:
    firsts = list(range(1, nodes + 1, BLOCK))
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=_begin, initargs=(data,)) as pool:
        ahead = [(first, pool.submit(_make, first, min(first + BLOCK, nodes + 1))) for first in firsts[:8]]
        for number in range(len(firsts)):
            first, future = ahead.pop(0)
            if number + 8 < len(firsts):
                later = firsts[number + 8]
                ahead.append((later, pool.submit(_make, later, min(later + BLOCK, nodes + 1))))
            yield first, future.result()


def reference(data: CardData, cards: FullCards, number: int, idf: Rows, terms: Sequence[str]) -> Rows:
    """Return ``(nodes,)``: the routing score of each node over all full cards."""
    known = question_terms(data)
    columns = np.searchsorted(known, np.array([term_hash(term) for term in terms], np.uint32))
    rows = []
    for first in range(0, len(cards.cosine), LOOKED):
        run = slice(first, first + LOOKED)
        place = np.ascontiguousarray(cards.place[run][:, columns])
        bits = np.unpackbits(place.view(np.uint8).reshape(*place.shape, 8), axis=2, bitorder="little").astype(bool)
        seen = CardFeatures(
            cosine=cards.cosine[run, number].astype(float),
            spread=np.full((len(place), 64), float(np.float16(0.8))),
            weight=cards.weight[run].astype(float),
            df=(place > 0).astype(float),
            place=bits,
            chunks=cards.weight[run].sum(1).astype(float),
        )
        rows.append(features(seen, idf))
    most = max(float(each[:, BOTH].max()) for each in rows)
    for each in rows:  # relative to the best of all nodes, not of these rows
        each[:, MASS] += (each[:, BOTH].max() - most) / WIDTH
    return routing_scores(np.concatenate(rows))


def measure(data: CardData, nodes: int, distinct: int, folder: Path, scratch: Path) -> dict[str, Any]:
    """Make ``distinct`` nodes and compare with routing over all full cards; copy them up to ``nodes`` and time routing.

    Each measurement runs in a separate process that holds only the summary.
    """
    started = time.perf_counter()
    cards = build(data, distinct, folder, scratch)
    built = time.perf_counter() - started
    few = _asked(data, folder, scratch)
    kept = compared(data, cards, few)
    multiply(folder, nodes)
    many = _asked(data, folder, scratch)
    for found in (few, many):
        for name in ("proposed", "first", "idf"):
            del found[name]
    return {"many": many, "distinct": few, "kept": kept, "build_s": round(built, 1)}


def _asked(data: CardData, folder: Path, scratch: Path) -> dict[str, Any]:
    (scratch / "space.json").write_text(to_json(data.space))
    (scratch / "questions.json").write_text(json.dumps(data.questions))
    np.save(scratch / "asked.npy", data.asked)
    command = [sys.executable, "-m", "benchmarks.big_network.many", str(folder), str(scratch)]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1]
    )
    return found


def compared(data: CardData, cards: FullCards, found: dict[str, Any]) -> dict[str, float]:
    """Return the share of the reference's first `FIRST` nodes among the proposed nodes, and in the final order."""
    kept: dict[str, list[float]] = {
        "proposed_of_first_10": [],
        "best_proposed": [],
        "asked_of_first_10": [],
        "best_asked": [],
        "chance_kept": [],
    }
    for number, question in enumerate(data.questions):
        terms = list(dict.fromkeys(tokens(question)))
        scores = reference(data, cards, number, np.array(found["idf"][number]), terms)
        best = (np.argsort(-scores, kind="stable")[:FIRST] + 1).tolist()
        proposed, first = found["proposed"][number], found["first"][number]
        kept["proposed_of_first_10"].append(len(set(best) & set(proposed)) / FIRST)
        kept["best_proposed"].append(best[0] in proposed)
        kept["asked_of_first_10"].append(len(set(best) & set(first)) / FIRST)
        kept["best_asked"].append(best[0] in first)
        likely = np.exp(scores - scores.max())
        kept["chance_kept"].append(float(likely[np.array(first) - 1].sum() / likely[np.array(best) - 1].sum()))
    return {name: round(float(np.mean(each)), 4) for name, each in kept.items()}


def multiply(folder: Path, nodes: int) -> None:
    """Copy the segments under other node ids until there are ``nodes``.

    The cost of a search does not depend on differences between nodes.
    """
    paths = sorted(folder.glob("*.page"))
    count, name = sum(len(read_segment(path).rows) for path in paths), len(paths)
    for copy in range(1, -(-nodes // count)):
        for path in paths:
            segment = read_segment(path)
            if count * copy >= nodes:
                return
            rows = segment.rows.copy()
            rows["node"] += np.uint64(copy * count)
            write_segment(folder / f"{name:08}.page", segment._replace(rows=rows))
            name += 1


def ask(folder: Path, scratch: Path) -> dict[str, Any]:
    """Open the summary alone, and route every question."""
    space = from_json((scratch / "space.json").read_bytes(), Space)
    questions: list[str] = json.loads((scratch / "questions.json").read_text())
    asked = np.load(scratch / "asked.npy")
    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    store = SummaryStore(folder)
    opened = time.perf_counter() - started
    overview, cid = Overview(store.index, store.spaces, ()), cid_of(space)
    milliseconds, cpu, proposed, first, idfs = [], [], [], [], []
    for number, question in enumerate(questions[:WARM_UP]):
        route_summaries(Query(question, {cid: asked[number]}), overview, {})
    for number, question in enumerate(questions):
        started, used = time.perf_counter(), time.process_time()
        routes = route_summaries(Query(question, {cid: asked[number]}), overview, {})
        milliseconds.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - used))
        first.append([each.node for each in routes[:FIRST]])
    for number, question in enumerate(questions):
        terms = list(dict.fromkeys(tokens(question)))
        statistics = overview.statistics(terms)
        idfs.append([statistics.idf(term) for term in terms])
        asks = Terms(np.array([term_hash(term) for term in terms], np.uint32), np.array(idfs[-1]))
        rows, _ = store.index.proposed(asks, {store.spaces[cid]: asked[number]})
        proposed.append(store.index.columns["node"][rows].tolist())
    return {
        "nodes": len(store),
        "route_p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
        "route_p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "route_cpu_p95_ms": round(float(np.percentile(cpu, 95)), 2),
        "open_s": round(opened, 2),
        "rss_mb": round(psutil.Process().memory_info().rss / 2**20),
        "rss_before_mb": round(before / 2**20),
        "disk_mb": round(sum(path.stat().st_size for path in folder.iterdir()) / 2**20),
        "proposed_mean": round(float(np.mean([len(each) for each in proposed])), 1),
        "proposed": proposed,
        "first": first,
        "idf": idfs,
    }


if __name__ == "__main__":
    print(json.dumps(ask(Path(sys.argv[1]), Path(sys.argv[2]))))
