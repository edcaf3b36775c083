"""Document sets in one form: documents with their owners, questions with graded answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.harness import data
from benchmarks.passages import SEED
from knet_indexer.chunking import canonical

SETS = ("squad_dev", "scifact", "medquad", "liveqa")
HEADED = ("scifact",)  # sets whose titles are part of the text; elsewhere they are names of articles
LONGEST = {"medquad": 450}  # characters that are read: 16,000 answers of several pages would take hours to embed
GOOD = 2  # from this grade on an answer that was judged in several grades counts


class Document(NamedTuple):
    """One document as one passage."""

    id: str
    owner: str
    text: str


class Asked(NamedTuple):
    """One question. ``relevant`` holds document ids and their grades above 0; ``split`` is the set's own, if any."""

    text: str
    relevant: Mapping[str, int]
    split: str = ""


class Corpus(NamedTuple):
    """One set."""

    name: str
    documents: list[Document]
    questions: list[Asked]


def corpus(name: str, *, documents: int = 0, questions: int = 0) -> Corpus:
    """Load a set, or its first ``documents`` and a seeded sample of ``questions`` about them (0: all).

    Where answers have grades, questions without one of grade `GOOD` are left out.
    """
    found = []
    for each in data(f"{name}.docs"):
        text = f"{each['title']}\n{each['text']}" if name in HEADED else each["text"]
        text = canonical(canonical(text)[: LONGEST.get(name)])
        found.append(Document(each["id"], each.get("source") or each.get("owner") or name, text))
        if len(found) == documents:
            break
    held = {document.id for document in found}
    asked = []
    for each in data(f"{name}.queries"):
        grades = {key: grade for key, grade in each["relevant"].items() if grade > 0}
        least = GOOD if max(each["relevant"].values(), default=0) > 1 else 1
        relevant = {key: grade for key, grade in grades.items() if grade >= least and key in held}
        if relevant:
            asked.append(Asked(each["text"], relevant, each.get("split", "")))
    return Corpus(name, found, sampled(asked, questions))


def sampled(questions: Sequence[Asked], count: int, seed: int = SEED) -> list[Asked]:
    """Return ``count`` of them (0: all), in order."""
    if not count or count >= len(questions):
        return list(questions)
    return [questions[i] for i in sorted(random.Random(seed).sample(range(len(questions)), count))]
