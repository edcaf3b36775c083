"""Question sets over ten nodes, with what a client is sent for each question, and a split by article."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from benchmarks.answers.nodes import NODES, Nodes, Text
from benchmarks.harness import data
from benchmarks.passages import SEED, embedded, embedded_parts
from knet.embed.base import PartEmbedder
from knet.index.analyser import tokens
from knet.index.lexical import Statistics
from knet.index.shard import Vectors
from knet.records import Passage
from knet_indexer.chunking import canonical

SAMPLED = 2500  # questions of a set; the others are never read
LONGEST = {"medquad": 450}  # characters that are read of a document


class Question(NamedTuple):
    """One question: ``gold`` is the passage that answers it, or that it was written against."""

    text: str
    gold: str
    answers: tuple[str, ...]
    impossible: bool
    learnt: bool  # its article is one that weights are learnt from


class Sent(NamedTuple):
    """A question with the passages of its answer. ``there`` is False if no passage of the network answers it."""

    question: Question
    passages: list[Passage]
    statistics: Statistics
    there: bool


@dataclass
class QuestionSet:
    """Questions with their vectors, over nodes that hold whole articles each, or what their real owners hold."""

    questions: list[Question]
    vectors: Vectors = field(repr=False)
    nodes: Nodes = field(repr=False)

    def sent(self, chosen: Iterable[int], nodes: Nodes | None = None, removed: Iterable[str] = ()) -> list[Sent]:
        """Ask questions, by number; ``removed`` are passages that ``nodes`` no longer hold."""
        asked, gone = nodes or self.nodes, set(removed)
        return [
            Sent(
                self.questions[at],
                asked.passages(self.questions[at].text, self.vectors[at]),
                asked.statistics,
                not self.questions[at].impossible and self.questions[at].gold not in gone,
            )
            for at in chosen
        ]

    def half(self, seed: int) -> list[str]:
        """Return half of the passages."""
        ids = [text.id for text in self.nodes.texts]
        return random.Random(seed).sample(ids, len(ids) // 2)

    def tested(self, learnt: bool = False) -> list[int]:
        """Return the numbers of the questions of articles that nothing is learnt from, or of the others."""
        return [at for at, question in enumerate(self.questions) if question.learnt == learnt]


def load(name: str, embedder: PartEmbedder, questions: int = SAMPLED) -> QuestionSet:
    """Load a set: its documents on ten nodes, and a sample of its questions."""
    documents = list(data(f"{name}.docs"))
    texts = [canonical(canonical(each["text"])[: LONGEST.get(name)]) for each in documents]
    vectors, _ = embedded_parts(texts, embedder)
    owners = _owners([(each["id"], each.get("source") or each["title"]) for each in documents])
    titles = {each["id"]: each["title"] for each in documents}
    held = [
        Text(each["id"], owners[each["id"]], text, each["title"]) for each, text in zip(documents, texts, strict=True)
    ]
    found = [_question(each, titles) for each in data(f"{name}.queries")]
    kept = sorted(random.Random(SEED).sample(range(len(found)), min(SAMPLED, len(found))))[: questions or None]
    asked = [found[at] for at in kept]
    return QuestionSet(asked, embedded([each.text for each in asked], embedder, query=True), Nodes(held, vectors))


def _question(each: dict, titles: dict[str, str]) -> Question:  # type: ignore[type-arg]
    graded = each["relevant"]
    gold = max(graded, key=graded.__getitem__) if graded else each.get("near", "")
    article = titles.get(gold, "")
    return Question(
        each["text"], gold, tuple(each.get("answers") or ()), bool(each.get("impossible")), is_learnt(article)
    )


def is_learnt(article: str) -> bool:
    """Tell if weights are learnt from an article: half of them, the same in every set."""
    return sha256(article.encode()).digest()[0] % 2 == 0


def _owners(documents: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the node of each document: whole articles (or owners), the largest first, to the smallest node."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key, group in documents:
        groups[group].append(key)
    sizes, found = [0] * NODES, {}
    for members in sorted(groups.values(), key=len, reverse=True):
        node = min(range(NODES), key=sizes.__getitem__)
        sizes[node] += len(members)
        found.update(dict.fromkeys(members, node + 1))
    return found


def framed(text: str) -> str:
    """Return a text's words between blanks, so that containment means whole words."""
    return f" {' '.join(tokens(text))} "


def holds(text: str, answers: Iterable[str]) -> bool:
    """Tell if a text contains one of some strings, as whole words."""
    return any(framed(answer) in framed(text) for answer in answers if tokens(answer))
