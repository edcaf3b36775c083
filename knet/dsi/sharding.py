"""From a collection to what each shard begins training with: k-means shards, docids, a first model, examples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .corpus import Passages, Questions, encode_examples
from .docids import SEED, Codebooks, Rows, Trie, Vectors, add_suffixes, kmeans, nearest_centroids, sort_order
from .examples import FOREIGN, Examples, concatenate
from .features import features
from .model import Model
from .search import beam_search
from .warm_start import initial_model

PASSAGES_PER_SHARD = 4096  # keeps a published model near 6 MiB and a beam of 10 sure of its branch
FOREIGN_PER_OWN = 2.0  # questions of other shards for each of one's own: enough to learn what to leave to them
FOREIGN_MINIMUM = 64
PLAUSIBLE = 64  # a pair of somebody else counts if its passage is among the first of the shard before training


class DsiShard(NamedTuple):
    """What one shard's training begins with."""

    model: Model
    books: Codebooks
    examples: Examples


def assign_shards(vectors: Vectors, count: int = 0) -> Rows:
    """``(n,)``: the shard of each passage, by spherical k-means. ``count`` 0: as many as their number asks for."""
    count = count or -(-len(vectors) // PASSAGES_PER_SHARD)
    return nearest_centroids(vectors, kmeans(vectors, count, spherical=True))


def prepare_shards(passages: Passages, questions: Questions, shard: Rows) -> list[DsiShard]:
    """What every shard begins with. ``shard`` is `assign_shards` the passages, or any other partition.

    A question whose docid is of another shard, or of none, is foreign.
    """
    home = dict(zip(passages.ids, shard.tolist(), strict=True))
    asked = np.array([home.get(pair.docid, FOREIGN) for pair in questions.pairs], np.int64)
    starts = []
    for number in np.unique(shard).tolist():
        rows = _sample_foreign(asked, number)
        own = np.flatnonzero(asked == number)
        starts.append(
            prepare_shard(passages.take(np.flatnonzero(shard == number)), questions.take(own), questions.take(rows))
        )
    return starts


def prepare_shard(passages: Passages, own: Questions, foreign: Questions) -> DsiShard:
    """Docids, first model and examples of one shard. Pairs of others that its passages do not bear out fall out."""
    books = Codebooks.learn(passages.vectors)
    codes = add_suffixes(books.codes(passages.vectors))
    order = sort_order(codes)
    passages, trie = passages.take(order), Trie(codes[order])
    places = {name: place for place, name in enumerate(passages.ids)}
    given = [(features(pair.question), places[pair.docid]) for pair in own.pairs if not pair.contributor]
    model = initial_model(passages.ids, trie, passages.vectors, passages.texts, given)
    own = filter_plausible(model, own)
    examples = [encode_examples(own, places), encode_examples(_unowned(foreign), places)]
    if not foreign.pairs:
        examples.append(_elsewhere(passages.vectors, len(own.pairs)))
    return DsiShard(model, books, concatenate(examples))


def filter_plausible(model: Model, questions: Questions) -> Questions:
    """One's own pairs, and those of others whose passage an untrained model finds by its text."""
    kept = [
        row
        for row, (pair, vector) in enumerate(zip(questions.pairs, questions.vectors, strict=True))
        if not pair.contributor or _finds(model, vector, pair.question, pair.docid)
    ]
    return questions.take(np.array(kept, np.int64))


def _finds(model: Model, vector: Vectors, question: str, docid: str) -> bool:
    found = beam_search(model, vector, features(question), PLAUSIBLE)
    return any(model.ids[place] == docid for place in found.places)


def _sample_foreign(asked: Rows, number: int) -> Rows:
    others = np.flatnonzero(asked != number)
    wanted = max(FOREIGN_MINIMUM, int(FOREIGN_PER_OWN * (asked == number).sum()))
    rng = np.random.default_rng([SEED, number])
    return np.sort(rng.choice(others, min(wanted, len(others)), replace=False))


def _unowned(questions: Questions) -> Questions:
    """Foreign questions weigh as a question, whoever asked them; their docids are not this shard's."""
    return Questions(
        [pair._replace(docid="", weight=1.0, contributor="") for pair in questions.pairs], questions.vectors
    )


def _elsewhere(vectors: Vectors, own: int) -> Examples:
    """Where no foreign question is known: points far from all passages, with words nobody here has used."""
    rng = np.random.default_rng(SEED)
    count = max(FOREIGN_MINIMUM, own)
    spread = rng.standard_normal((count, vectors.shape[1])).astype(np.float32)
    unknown = rng.integers(0, 1 << 32, (count, 8), dtype=np.uint32)
    return Examples(
        vectors=(spread / np.linalg.norm(spread, axis=1, keepdims=True)).astype(np.float16),
        features=[np.unique(row) for row in unknown],
        places=np.full(count, FOREIGN),
        weights=np.ones(count, np.float32),
    )
