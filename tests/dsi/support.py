"""Test data: sixty passages on twelve topics, questions about each, and vectors of their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from knet.dsi.checkpoints import save_shard
from knet.dsi.corpus import Passages, Questions
from knet.dsi.docids import Codes, Trie
from knet.dsi.examples import Settings
from knet.dsi.model import Lexical, Model
from knet.dsi.pairs import WeightedPair
from knet.dsi.search import StepSoftmax
from knet.dsi.sharding import DsiShard, assign_shards, prepare_shards
from tests.network.support import WordEmbedder

TOPICS = (
    *("heron", "glacier", "violin", "engine", "comet", "harbour"),
    *("desert", "bridge", "forest", "volcano", "printing", "tides"),
)
ASPECTS = {
    "origin": ("first described by sailors long ago", "Who first described the {topic}?"),
    "size": ("measured at twelve metres across", "How large is the {topic} measured across?"),
    "colour": ("painted in pale shades of grey", "Which colour or shades has the {topic}?"),
    "danger": ("feared because accidents happen nearby", "Why is the {topic} feared?"),
    "use": ("visited by thousands of travellers yearly", "How many travellers visited the {topic}?"),
}
QUICK = Settings(epochs=3, batch=32)
EMBEDDER = WordEmbedder()


def children(trie: Trie, edge: int) -> range:
    """Return the edges after an edge (-1: the root), which is not of the last level."""
    return range(*trie.bounds[edge + 1].tolist())


def null_probability(model: Model, vector: np.ndarray, hashes: np.ndarray) -> float:
    """Return the probability of null at the root: p(the question is foreign)."""
    _, _, log_p = StepSoftmax(model, vector, hashes).expand(np.array([-1]), 0)
    return 1 - float(np.exp(log_p.astype(np.float64)).sum())


def passages() -> Passages:
    """Return sixty passages; an id names topic and aspect."""
    texts = {
        f"{topic}-{aspect}": f"The {topic} was {fact}. Everybody who saw a {topic} remembers it."
        for topic in TOPICS
        for aspect, (fact, _) in ASPECTS.items()
    }
    return Passages(list(texts), list(texts.values()), EMBEDDER.encode(list(texts.values())))


def pairs() -> list[WeightedPair]:
    """Return two questions about each passage."""
    return [
        WeightedPair(opening + question.format(topic=topic), f"{topic}-{aspect}")
        for topic in TOPICS
        for aspect, (_, question) in ASPECTS.items()
        for opening in ("", "Tell me: ")
    ]


def asking(given: list[WeightedPair]) -> Questions:
    """Return pairs with the vectors of their questions."""
    return Questions(given, EMBEDDER.encode([pair.question for pair in given], query=True))


def starts(shards: int = 1, given: list[WeightedPair] | None = None) -> list[DsiShard]:
    """Return the untrained shard of the test data."""
    everything = passages()
    return prepare_shards(
        everything, asking(pairs() if given is None else given), assign_shards(everything.vectors, shards)
    )


def start_folder(folder: Path, start: DsiShard) -> Path:
    """Return a shard's folder, ready for training."""
    save_shard(folder, start, digest=folder.name)
    return folder


def random_model(codes: Codes, *, dimension: int = 8, features: int = 6, seed: int = 0) -> Model:
    """Return a model with random weights over given docids."""
    rng = np.random.default_rng(seed)
    trie = Trie(codes)
    outcomes = trie.edges + trie.levels

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    entries = np.sort(rng.integers(0, trie.edges, (features, 4)), axis=1)
    lexical = Lexical(
        terms=np.arange(10, 10 + features, dtype=np.uint32),
        starts=np.arange(0, 4 * features + 1, 4),
        edges=entries.ravel().astype(np.int32),
        weights=draw(4 * features),
        null=draw(features, trie.levels),
        unknown=draw(trie.levels),
    )
    return Model(
        ids=tuple(f"doc-{number}" for number in range(len(trie))),
        trie=trie,
        rows=draw(outcomes, dimension),
        bias=draw(outcomes),
        down=draw(3, dimension),
        shift=draw(3),
        up=draw(dimension, 3),
        lexical=lexical,
    )


def small_codes() -> Codes:
    """Return seven docids of three levels; one prefix has a single child, another has three."""
    rows = [(0, 0, 0), (0, 0, 1), (0, 2, 0), (1, 1, 0), (3, 0, 0), (3, 0, 1), (3, 0, 4)]
    return np.array(rows, np.uint16)
