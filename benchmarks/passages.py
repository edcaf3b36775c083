"""Passages and questions of SQuAD dev, split into collections, with cached vectors."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import numpy as np

from benchmarks.harness import data
from knet.codec import cid_of
from knet.config import DEFAULT_MODEL
from knet.embed.base import Embedder, PartEmbedder, Vectors
from knet.embed.load import is_bulk, load_embedder
from knet.index.sentences import sentences
from knet_indexer.chunking import canonical

CACHE = Path(__file__).parents[1] / ".cache" / "benchmarks"
SEED = 20
BLOCK = 1024  # texts embedded and kept together

E = TypeVar("E", bound=Embedder)


class Passage(NamedTuple):
    """One paragraph: its id, its article, its canonical text."""

    id: str
    article: str
    text: str


class Question(NamedTuple):
    """One question and the id of its paragraph."""

    text: str
    gold: str


def squad(passages: int = 0, questions: int = 0) -> tuple[list[Passage], list[Question]]:
    """Return paragraphs (the first ``passages``; 0: all) and a seeded sample of the questions about them (0: all)."""
    found = [Passage(each["id"], each["title"], canonical(each["text"])) for each in data("squad_dev.docs")]
    kept = found[: passages or None]
    ids = {passage.id for passage in kept}
    asked = [Question(each["text"], next(iter(each["relevant"]))) for each in data("squad_dev.queries")]
    asked = [question for question in asked if question.gold in ids]
    random.Random(SEED).shuffle(asked)
    return kept, asked[: questions or None]


def by_article(passages: Sequence[Passage], nodes: int) -> list[list[Passage]]:
    """Assign whole articles to ``nodes`` collections, the largest first, each to the smallest collection."""
    articles: defaultdict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        articles[passage.article].append(passage)
    collections: list[list[Passage]] = [[] for _ in range(nodes)]
    for article in sorted(articles.values(), key=len, reverse=True):
        min(collections, key=len).extend(article)
    return collections


def at_random(passages: Sequence[Passage], nodes: int) -> list[list[Passage]]:
    """Assign single paragraphs at random: every collection has all topics, which is hard to route."""
    shuffled = list(passages)
    random.Random(SEED).shuffle(shuffled)
    return [shuffled[number::nodes] for number in range(nodes)]


def embedded(texts: Sequence[str], embedder: Embedder, *, query: bool = False) -> Vectors:
    """Return ``(len(texts), dimension)`` float32; embedded at the first use, then read from ``.cache/benchmarks``."""
    blocks = []
    for first, block, path in _blocks(texts, embedder, b"\1" if query else b"\0"):
        if not path.is_file():
            _tell(first, len(texts), "questions" if query else "passages")
            np.save(_made(path), _fast(embedder, len(texts)).encode(block, query=query))
        blocks.append(np.load(path))
    return np.concatenate([np.zeros((0, embedder.space.dimension), np.float32), *blocks])


def embedded_parts(texts: Sequence[str], embedder: PartEmbedder) -> tuple[Vectors, list[Vectors]]:
    """Return the same with the vectors of each text's sentences, stored in float16."""
    vectors, parts = [np.zeros((0, embedder.space.dimension), np.float32)], []
    for first, block, path in _blocks(texts, embedder, b"\2"):
        if not path.with_suffix(".npz").is_file():
            _tell(first, len(texts), "passages and their sentences")
            found, own = _fast(embedder, len(texts)).encode_parts(block, [sentences(text) for text in block])
            sizes = np.array([len(each) for each in own])
            np.savez(_made(path).with_suffix(".npz"), V=found, S=np.concatenate(own).astype(np.float16), sizes=sizes)
        with np.load(path.with_suffix(".npz")) as kept:
            vectors.append(kept["V"])
            parts += np.split(kept["S"].astype(np.float32), np.cumsum(kept["sizes"])[:-1])
    return np.concatenate(vectors), parts


def _blocks(texts: Sequence[str], embedder: Embedder, kind: bytes) -> Iterator[tuple[int, Sequence[str], Path]]:
    """Yield the texts in blocks with the path of their vectors, so that an interrupted run can continue."""
    for first in range(0, len(texts), BLOCK):
        block = texts[first : first + BLOCK]
        named = hashlib.sha256(cid_of(embedder.space).raw + kind)
        for text in block:
            named.update(hashlib.sha256(text.encode()).digest())
        yield first, block, CACHE / f"{named.hexdigest()[:32]}.npy"


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _tell(first: int, count: int, what: str) -> None:
    print(f"embedding {what} {first + 1} to {min(first + BLOCK, count)} of {count} (once)", flush=True)


def _fast(embedder: E, count: int) -> E:
    """Return the fastest embedder of the same space."""
    fast = load_embedder(DEFAULT_MODEL, bulk=is_bulk(count))
    return cast(E, fast) if fast.space == embedder.space else embedder
