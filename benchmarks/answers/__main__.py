"""Run the benchmark of answers."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers.learn import learn
from benchmarks.answers.plant import planted
from benchmarks.answers.sets import QuestionSet, Sent, holds, load
from benchmarks.harness import bars, report
from benchmarks.ranking import Rows, interval
from knet.answer.writer import Written, numbered, write
from knet.embed.base import PartEmbedder
from knet.embed.load import load_embedder

SEEDS = (11, 12, 13)  # each removes another half of the passages
QUICK = 100  # questions of a set
TESTED = 800  # questions of a set for each seed: answers to all would take hours


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few questions and one seed: does it work at all?")
    parser.add_argument("--learn", action="store_true", help="learn the weights again, from articles never tested")
    parser.add_argument("--no-demo", action="store_true", help="leave out the demo network")
    chosen = parser.parse_args()
    embedder = load_embedder()
    assert isinstance(embedder, PartEmbedder)
    squad, squad2 = load("squad_dev", embedder), load("squad2", embedder)
    if chosen.learn:
        learn(squad, squad2)
        return
    most = QUICK if chosen.quick else TESTED
    rows = _squad(squad, most) | _found(squad, SEEDS[:1] if chosen.quick else SEEDS, most)
    rows |= {"squad2_auc": _aucs([squad2.sent(squad2.tested()[:most])])}
    if not chosen.quick:
        rows |= {f"{name}_answered": _answered(load(name, embedder, QUICK)) for name in ("medquad", "liveqa")}
    if not chosen.no_demo:
        rows |= _demo()
    figures = {name: round(float(np.mean(values)), 4) for name, values in rows.items()}
    details = {f"{name} 95 %": interval(np.asarray(values)) for name, values in rows.items()}
    details["questions"] = {name: len(values) for name, values in rows.items()}
    shares = {name: value for name, value in figures.items() if value <= 1}
    picture = bars(shares, label="share", title="answers", limits=(0, 1.1))
    report("answers-quick" if chosen.quick else "answers", figures, details, picture)


def _write(sent: Sent) -> Written:
    return write(sent.question.text, sent.passages, sent.statistics)


def _squad(squad: QuestionSet, most: int) -> dict[str, Rows]:
    """Return the answers with a gold string, their length, and conflicts: invented ones, and planted ones found."""
    sent = squad.sent(squad.tested()[:most])
    held, first, words, invented, found = [], [], [], [], []
    for number, each in enumerate(sent):
        written = _write(each)
        text = " ".join(sentence.text for sentence in written.sentences)
        held.append(holds(text, each.question.answers))
        first.append(bool(written.sentences) and holds(written.sentences[0].text, each.question.answers))
        words.append(len(text.split()))
        invented.append(bool(written.conflicts))
        contradicted = planted(each, number)
        if contradicted is not None and written.sentences:
            found.append(bool(_write(contradicted).conflicts))
    return {
        "squad_holds_gold": np.array(held, float),
        "squad_first_sentence": np.array(first, float),
        "squad_words": np.array(words, float),
        "conflicts_found": np.array(found, float),
        "conflicts_false": np.array(invented, float),
    }


def _found(squad: QuestionSet, seeds: Sequence[int], most: int) -> dict[str, Rows]:
    """Return how well the probability tells apart, after half of the passages were removed.

    A question whose answer another passage holds as well, so that the answer has it, is neither.
    """
    runs = []
    for seed in seeds:
        gone = squad.half(seed)
        runs.append(squad.sent(squad.tested()[:most], squad.nodes.without(gone), gone))
    accuracies = []
    for run in runs:
        there, probability = _judged(run)
        told = probability >= 0.5
        accuracies.append((told[there].mean() + (~told[~there]).mean()) / 2)
    return {"found_auc": _aucs(runs), "found_balanced_accuracy": np.array(accuracies)}


def _judged(run: Sequence[Sent]) -> tuple[Any, Rows]:
    there, probability = [], []
    for each in run:
        written = _write(each)
        elsewhere = not each.there and not each.question.impossible
        if elsewhere and holds(" ".join(one.text for one in written.sentences), each.question.answers):
            continue
        there.append(each.there)
        probability.append(written.confidence.probability)
    return np.array(there), np.array(probability)


def _aucs(runs: Sequence[Sequence[Sent]]) -> Rows:
    """Return the area under the ROC curve of each run: the probability that an answerable question is above."""
    found = []
    for run in runs:
        there, probability = _judged(run)
        above, below = probability[there], probability[~there]
        ahead = (above[:, None] > below).mean() + 0.5 * (above[:, None] == below).mean()
        found.append(float(ahead))
    return np.array(found)


def _answered(questions: QuestionSet) -> Rows:
    sent = questions.sent(range(min(QUICK, len(questions.questions))))
    return np.array([float(bool(_write(each).sentences)) for each in sent])


def _demo() -> dict[str, Rows]:
    """Return the shares of right answers, refusals and reported contradictions of the demo's questions."""
    import knet

    path = Path(os.environ.get("KNET_DATA") or "data") / "demo_questions.jsonl"
    right, refused, conflicts = [], [], []
    net = knet.connect("demo")
    for line in path.read_text(encoding="utf-8").splitlines():
        asked: Mapping[str, Any] = json.loads(line)
        answer = net.ask(asked["question"], max_nodes="all", node_timeout=30.0)
        if not asked.get("answerable", True):
            refused.append(not answer.found)
            continue
        text = " ".join(numbered(answer.sentences, answer.record.conflicts).split()).casefold()
        needed = asked.get("contains", [])
        right.append(answer.found and all(any(one.casefold() in text for one in each) for each in needed))
        if asked.get("contradicts"):
            conflicts.append(bool(answer.record.conflicts))
    return {
        "demo_right_share": np.array(right, float),
        "demo_refused_share": np.array(refused, float),
        "demo_conflicts": np.array(conflicts, float),
    }


if __name__ == "__main__":
    main()
