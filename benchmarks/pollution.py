"""Data with gold answers, and its copies at six sources: clean, polluted, with planted answers.

SQuAD dev brings its answers. A MedQuAD passage is itself the answer; its gold answer here is the three words that tell
it from the others (the largest idf of those that are in neither question nor title). A passage that a source pollutes
has every gold answer replaced by one that the source made up on its own: the answer to a question on another matter.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness import data
from benchmarks.passages import SEED, embedded
from knet.embed.base import Embedder, Vectors
from knet.index.analyser import split_words
from knet.index.sentences import sentences
from knet_indexer.chunking import canonical

SOURCES = 6
PASSAGES = {"squad": 500, "medquad": 700}  # of 2,067 and 15,809: each is embedded once clean, and once a source
QUESTIONS = 1500  # of those about these passages
LONGEST = 400  # characters of a MedQuAD passage, which would else be many times a paragraph
BLOCK = 100  # texts embedded at a time, so that an interrupted run goes on where it was
GOLD_WORDS = 3


@dataclass(frozen=True)
class Question:
    """One question. ``gold`` and ``planted`` are token strings framed by blanks; ``planted`` has one a source."""

    text: str
    document: int
    gold: tuple[str, ...]
    planted: tuple[str, ...]

    def holds_gold(self, framed: str) -> bool:
        return any(answer in framed for answer in self.gold)


@dataclass(frozen=True)
class World:
    """One set. ``texts[0]`` are the clean passages, ``texts[s]`` their polluted versions of source ``s``.

    Source 0 never pollutes. ``vectors`` are of ``texts``, ``asked`` of ``questions``.
    """

    name: str
    questions: list[Question]
    texts: list[list[str]]
    vectors: list[Vectors] = field(repr=False)
    asked: Vectors = field(repr=False)


def frame(words: Sequence[str]) -> str:
    """Return words between blanks, so that containment means whole words."""
    return f" {' '.join(words)} "


def load(name: str, embedder: Embedder) -> World:
    """Return the data of one set, embedded (cached in ``.cache/benchmarks``)."""
    documents = _documents(name)
    raw = list(_squad_questions(documents) if name == "squad" else _medquad_questions(documents))
    random.Random(SEED).shuffle(raw)
    raw = raw[:QUESTIONS]
    questions = [
        Question(text, row, tuple(frame(split_words(a)) for a in gold), tuple(_plants(number, raw)))
        for number, (text, row, gold) in enumerate(raw)
    ]
    about: dict[int, list[int]] = {}
    for number, question in enumerate(questions):
        about.setdefault(question.document, []).append(number)
    clean = [text for _, _, text in documents]
    swaps = [[(raw[q][2], questions[q].planted) for q in about.get(row, [])] for row in range(len(clean))]
    texts = [clean]
    for source in range(1, SOURCES):
        replacements = [[(gold, planted[source].strip()) for gold, planted in swap] for swap in swaps]
        texts.append([pollute(text, swap) for text, swap in zip(clean, replacements, strict=True)])
    vectors = [_embedded(version, embedder) for version in texts]
    asked = _embedded([question.text for question in questions], embedder, query=True)
    return World(name, questions, texts, vectors, asked)


def _embedded(texts: Sequence[str], embedder: Embedder, *, query: bool = False) -> Vectors:
    blocks = [texts[first : first + BLOCK] for first in range(0, len(texts), BLOCK)]
    return np.concatenate([embedded(block, embedder, query=query) for block in blocks])


def pollute(text: str, replaced: Sequence[tuple[Sequence[str], str]]) -> str:
    """Return the text with every answer (longest first) replaced, as whole words."""
    swaps: dict[str, str] = {}
    for answers, planted in replaced:
        for answer in answers:
            swaps.setdefault(" ".join(split_words(answer)), planted)
    for answer in sorted(swaps, key=len, reverse=True):
        pattern = r"[\W_]+".join(map(re.escape, answer.split()))
        text = re.sub(rf"(?<!\w){pattern}(?!\w)", swaps[answer], text, flags=re.IGNORECASE)
    return text


# --- contents of the sets ------------------------------------------------------------------------------------------

Documents = list[tuple[str, str, str]]  # id, title, text


def _documents(name: str) -> Documents:
    found = [
        (d["id"], d["title"], canonical(d["text"])) for d in data(f"{'squad_dev' if name == 'squad' else name}.docs")
    ]
    if name == "medquad":
        found = [(key, title, _head(text)) for key, title, text in found if len(text) > 200]
    random.Random(SEED).shuffle(found)
    return found[: PASSAGES[name]]


def _head(text: str) -> str:
    ends = [span.end for span in sentences(text) if span.end <= LONGEST]
    return text[: ends[-1]] if ends else text[:LONGEST]


def _squad_questions(documents: Documents) -> Iterator[tuple[str, int, list[str]]]:
    rows = {key: row for row, (key, _, _) in enumerate(documents)}
    for each in data("squad_dev.queries"):
        row = rows.get(next(iter(each["relevant"])))
        answers = sorted({a for a in each["answers"] if split_words(a)})
        if row is not None and answers:
            yield each["text"], row, answers


def _medquad_questions(documents: Documents) -> Iterator[tuple[str, int, list[str]]]:
    rows = {key: row for row, (key, _, _) in enumerate(documents)}
    df = Counter(word for _, _, text in documents for word in set(split_words(text)))
    for each in data("medquad.queries"):
        row = rows.get(next(iter(each["relevant"])))
        if row is not None:
            known = set(split_words(each["text"] + " " + documents[row][1]))
            gold = _telling(documents[row][2], known, df)
            if gold:
                yield each["text"], row, [gold]


def _telling(text: str, known: set[str], df: Mapping[str, int]) -> str:
    """Return the most distinctive run of three words of this text, without words of the question."""
    words = split_words(text)
    runs = [words[at : at + GOLD_WORDS] for at in range(len(words) - GOLD_WORDS + 1)]
    free = [run for run in runs if not known & set(run) and all(map(str.isalpha, run))]
    return " ".join(max(free, key=lambda run: sum(-math.log(df[word]) for word in run), default=[]))


def _plants(number: int, raw: Sequence[tuple[str, int, list[str]]]) -> Iterator[str]:
    """Return one false answer per source: that of a question on another document, with digits if the true one has."""
    text, row, gold = raw[number]
    own = frame(split_words(" ".join(gold)))
    chance = random.Random(f"{SEED} {number} {text}")
    has_digit = any(map(str.isdigit, own))
    used: set[str] = set()
    for _ in range(SOURCES):
        for _ in range(200):
            other = raw[chance.randrange(len(raw))]
            words = split_words(other[2][0])
            planted = frame(words)
            alike = any(map(str.isdigit, planted)) == has_digit and len(words) <= 6
            if other[1] != row and planted not in own and planted not in used and alike:
                break
        used.add(planted)
        yield planted
