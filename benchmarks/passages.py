"""Passages and questions of SQuAD dev, cut into collections, and their vectors, embedded once and kept."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.harness import data
from knet.codec import cid_of
from knet.config import DEFAULT_MODEL
from knet.embed import Embedder, Vectors, is_bulk, load_embedder
from knet_indexer.chunking import canonical

CACHE = Path(__file__).parents[1] / ".cache" / "benchmarks"
SEED = 20


class Passage(NamedTuple):
    """One paragraph: its id, the article it is from, its canonical text."""

    id: str
    article: str
    text: str


class Question(NamedTuple):
    """One question and the id of the paragraph it was written about."""

    text: str
    gold: str


def squad(passages: int = 0, questions: int = 0) -> tuple[list[Passage], list[Question]]:
    """Paragraphs (the first ``passages``; 0: all) and a seeded sample of the questions about them (0: all)."""
    found = [Passage(each["id"], each["title"], canonical(each["text"])) for each in data("squad_dev.docs")]
    kept = found[: passages or None]
    ids = {passage.id for passage in kept}
    asked = [Question(each["text"], next(iter(each["relevant"]))) for each in data("squad_dev.queries")]
    asked = [question for question in asked if question.gold in ids]
    random.Random(SEED).shuffle(asked)
    return kept, asked[: questions or None]


def by_article(passages: Sequence[Passage], nodes: int) -> list[list[Passage]]:
    """Whole articles dealt to ``nodes`` collections, the largest first, each to the collection that holds least."""
    articles: defaultdict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        articles[passage.article].append(passage)
    collections: list[list[Passage]] = [[] for _ in range(nodes)]
    for article in sorted(articles.values(), key=len, reverse=True):
        min(collections, key=len).extend(article)
    return collections


def at_random(passages: Sequence[Passage], nodes: int) -> list[list[Passage]]:
    """Single paragraphs dealt at random: every collection is about everything, which is hard to route."""
    shuffled = list(passages)
    random.Random(SEED).shuffle(shuffled)
    return [shuffled[number::nodes] for number in range(nodes)]


def embedded(texts: Sequence[str], embedder: Embedder, *, query: bool = False) -> Vectors:
    """``(len(texts), dimension)`` float32; embedded the first time, then read from ``.cache/benchmarks``."""
    named = hashlib.sha256(cid_of(embedder.space).raw + bytes([query]))
    for text in texts:
        named.update(hashlib.sha256(text.encode()).digest())
    path = CACHE / f"{named.hexdigest()[:32]}.npy"
    if not path.is_file():
        print(f"embedding {len(texts)} {'questions' if query else 'passages'} (once)", flush=True)
        fast = load_embedder(DEFAULT_MODEL, bulk=is_bulk(len(texts)))  # of the same space
        vectors = (fast if fast.space == embedder.space else embedder).encode(texts, query=query)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    found: Vectors = np.load(path)
    return found
