"""Benchmarks: their list, their errors without data, and each of them on little data."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks import harness
from benchmarks.dsi.fusion import Pool, Weights, fit_weights, interval, reciprocal_ranks
from benchmarks.dsi.merges import softmax_sum
from benchmarks.dsi.split import Ensemble, held_out
from benchmarks.federation.central import bm25_top, dense_top
from benchmarks.indexing.resync import three_syncs
from benchmarks.passages import Passage, Question, at_random, by_article
from knet.chain.anvil import find_anvil
from knet.config import DEFAULT_MODEL
from knet.embed.models import find_model
from knet.errors import ModelNotFound
from tests.conftest import NO_ANVIL
from tests.dsi.support import random_model, small_codes
from tests.network.support import make_node

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "big_network", "big_node", "dsi", "federation", "fusion", "gas", "indexing", "merge", "node_load", "panel",
    "query_latency", "reading", "routing", "source_selection",
)  # fmt: skip


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


def test_benchmarks_are_listed_with_one_line_each() -> None:
    listed = run("benchmarks").stdout.splitlines()
    for name in NAMES:
        assert any(line.startswith(f"python -m benchmarks.{name} ") and len(line.split()) > 6 for line in listed)


def test_benchmark_without_data_tells_the_remedy(tmp_path: Path) -> None:
    ended = run("benchmarks.federation", KNET_DATA=str(tmp_path))
    assert ended.returncode != 0
    assert "KNET_DATA" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_report_writes_a_file_a_plot_and_a_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    harness.report("some", {"ratio": 1.5}, {"rounds": 3}, Figure())
    kept = json.loads((tmp_path / "results" / "some.json").read_text())
    assert (kept["figures"], kept["details"]) == ({"ratio": 1.5}, {"rounds": 3})
    assert (tmp_path / "results" / "some.png").read_bytes().startswith(b"\x89PNG")
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last) == {"bench": "some", "figures": {"ratio": 1.5}}


def test_partition_keeps_articles_whole_and_every_passage() -> None:
    passages = [Passage(f"p{n}", f"article {n % 7}", f"text {n}") for n in range(100)]
    whole, mixed = by_article(passages, 4), at_random(passages, 4)
    assert sorted(p for collection in whole for p in collection) == sorted(passages)
    assert sorted(p for collection in mixed for p in collection) == sorted(passages)
    homes = {(passage.article, number) for number, collection in enumerate(whole) for passage in collection}
    assert len(homes) == 7
    assert max(map(len, whole)) <= 30


def test_central_indexes_find_the_nearest_passages() -> None:
    vectors = np.eye(5, 8, dtype=np.float32)
    assert dense_top(vectors, vectors[[3, 1]], 1).tolist() == [[3], [1]]
    passages = [Passage(f"p{n}", "", text) for n, text in enumerate(["red apples", "green pears", "blue plums"])]
    assert bm25_top(passages, [Question("Are pears green?", "p1"), Question("nothing", "")], 1)[0].tolist() == [1]


def test_resync_reads_only_the_edited_document(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {f"{n}.txt": f"Document {n} is about number {n}." for n in range(5)})
    syncs = three_syncs(node, tmp_path / "node-documents")
    assert [report.embedded for report in syncs.values()] == [5, 0, 1]


def write_squad(folder: Path) -> None:
    """Write a set in the benchmarks' format: a hundred passages of twenty articles, a question about each."""
    things = ["apple", "bridge", "comet", "desert", "engine", "forest", "glacier", "harbour", "island", "jungle"]
    colours = ["red", "green", "blue", "white", "golden", "silver", "purple", "orange", "grey", "black"]
    passages, questions = [], []
    for n, (thing, colour) in enumerate((thing, colour) for thing in things for colour in colours):
        text = f"The {colour} {thing} was first described in {1700 + n}. Travellers came from afar to see it."
        passages.append({"id": f"p{n}", "title": f"{thing} {n % 2}", "text": text})
        questions.append({"id": f"q{n}", "text": f"When was the {colour} {thing} described?", "relevant": {f"p{n}": 1}})
    for name, records in (("docs", passages), ("queries", questions)):
        with gzip.open(folder / f"squad_dev.{name}.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(record) + "\n" for record in records)


def write_feb4rag(folder: Path) -> None:
    """Write a log in the format of source selection: requests on four subjects, each with one best engine."""
    subjects = {
        "medicine": "a cure for",
        "finance": "the price of",
        "sport": "the winner of",
        "cooking": "a recipe with",
    }
    engines = [{"name": name, "Description": f"Documents about {name}."} for name in subjects]
    things = ["gold", "apples", "the cup", "fever", "salt", "oil", "horses", "bread", "tea", "rice"]
    requests, selection = [], []
    for number, (subject, thing) in enumerate((subject, thing) for subject in subjects for thing in things):
        requests.append({"id": str(number), "text": f"What is {subjects[subject]} {thing}?", "origin": subject})
        selection.append({"id": str(number), "engines": {name: 9.0 if name == subject else 1.0 for name in subjects}})
    for name, records in (("engines", engines), ("requests", requests), ("selection", selection)):
        with gzip.open(folder / f"feb4rag.{name}.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(record) + "\n" for record in records)


@pytest.mark.model
@pytest.mark.parametrize("name", ["fusion", "merge", "routing", "source_selection"])
def test_retrieval_benchmark_runs_on_little_data(name: str, tmp_path: Path) -> None:
    try:
        find_model(DEFAULT_MODEL)
    except ModelNotFound as error:
        pytest.skip(str(error))
    write_squad(tmp_path)
    write_feb4rag(tmp_path)
    ended = run(f"benchmarks.{name}", "--quick", KNET_DATA=str(tmp_path))
    assert ended.returncode == 0, ended.stderr[-2000:]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["bench"] == f"{name}-quick"
    if name == "fusion":
        assert last["figures"]["worst_delta_vs_best_member"] >= 0
    if name == "merge":
        assert last["figures"]["raw_recall_kept"] == 1.0


@pytest.mark.network
@pytest.mark.model
@pytest.mark.parametrize("name", ["big_network", "federation", "query_latency"])
def test_network_benchmark_runs_on_a_small_network(name: str, tmp_path: Path) -> None:
    if find_anvil() is None:
        pytest.skip(NO_ANVIL)
    try:
        find_model(DEFAULT_MODEL)
    except ModelNotFound as error:
        pytest.skip(str(error))
    write_squad(tmp_path)
    ended = run(f"benchmarks.{name}", "--quick", KNET_DATA=str(tmp_path))
    assert ended.returncode == 0, ended.stderr[-2000:]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["bench"] == f"{name}-quick"
    if name == "federation":
        assert last["figures"]["same_top10"] == 1.0


@pytest.mark.network
def test_node_load_benchmark_runs() -> None:
    if find_anvil() is None:
        pytest.skip(NO_ANVIL)
    ended = run("benchmarks.node_load", "--quick")
    assert ended.returncode == 0, ended.stderr[-2000:]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["bench"] == "node_load-quick"
    assert last["figures"]["failed"] == 0


@pytest.mark.network
def test_big_node_benchmark_runs() -> None:
    if find_anvil() is None:
        pytest.skip(NO_ANVIL)
    ended = run("benchmarks.big_node", "--quick")
    assert ended.returncode == 0, ended.stderr[-2000:]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["bench"] == "big_node-quick"
    assert last["figures"]["chunks"] == 12_000
    assert last["figures"]["recall_at_10"] >= 0.95


@pytest.mark.model
def test_dsi_benchmark_uses_held_out_questions(tmp_path: Path) -> None:
    try:
        find_model(DEFAULT_MODEL)
    except ModelNotFound as error:
        pytest.skip(str(error))
    write_squad(tmp_path)
    ended = run("benchmarks.dsi", "--quick", KNET_DATA=str(tmp_path))
    assert ended.returncode == 0, ended.stderr[-2000:]
    last = json.loads(ended.stdout.splitlines()[-1])
    assert last["bench"] == "dsi-quick"
    assert 0.5 < last["figures"]["share_of_oracle_mrr"] <= 1.05
    assert last["figures"]["fusion_gain_low"] <= last["figures"]["fusion_gain_mrr"]


def test_fifth_of_each_paragraphs_questions_is_held_out() -> None:
    questions = [Question(f"q{n}", f"p{n % 40}") for n in range(400)]
    kept, out = held_out(questions, range(400), 0.2)
    assert sorted([*kept, *out]) == list(range(400))
    assert {sum(questions[row].gold == f"p{n}" for row in out) for n in range(40)} == {2}
    assert held_out(questions, range(400), 0.2) == (kept, out)


def test_softmax_merge_gives_each_model_one_vote() -> None:
    """A model without knowledge of a question has one vote, as has the model that was trained on it."""
    models = [random_model(small_codes(), seed=seed) for seed in (1, 2)]
    ensemble = Ensemble(
        [replace(model, ids=tuple(f"{n} {name}" for name in model.ids)) for n, model in enumerate(models)],
        np.zeros(14, np.int64),
    )
    found = softmax_sum(ensemble, "any question", np.ones(8, np.float32))
    assert len(found) == 10
    assert {name[0] for name in found[:4]} == {"0", "1"}


def test_fusion_interval_contains_the_mean_and_weights_fit() -> None:
    right, wrong = [2.0, -1.0, -1.0], [-1.0, 3.0, -1.0]
    two = [Pool(np.array([right, wrong]), 0)] * 20
    three = [Pool(np.array([wrong, wrong, right]), 0)] * 20
    weights = fit_weights(two, three)
    assert weights.bm25 > 0.5
    assert weights.models > 0.5
    gains = reciprocal_ranks(three, weights) - reciprocal_ranks(three, Weights(weights.bm25, 0.0))
    assert gains.mean() == 0.5
    low, high = interval(np.array([0.0, 1.0] * 100))
    assert low < 0.5 < high
