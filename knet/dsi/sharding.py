"""Shards of a collection and their state before training: k-means shards, docids, an initial model, examples."""

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

PASSAGES_PER_SHARD = 4096  # keeps a published model near 6 MiB, and a beam of 10 wide enough
FOREIGN_PER_OWN = 2.0  # foreign questions for each question of the shard: enough to learn to reject them
FOREIGN_MINIMUM = 64
PLAUSIBLE = 64  # a contributor's pair counts if the initial model ranks its passage this high


class DsiShard(NamedTuple):
    """One shard for training or update: its model, codebooks and training examples."""

    model: Model
    books: Codebooks
    examples: Examples


def assign_shards(vectors: Vectors, count: int = 0) -> Rows:
    """Return ``(n,)``: the shard of each passage, by spherical k-means.

    With ``count`` 0, the number of passages determines that of shards.
    """
    count = count or -(-len(vectors) // PASSAGES_PER_SHARD)
    return nearest_centroids(vectors, kmeans(vectors, count, spherical=True))


def prepare_shards(passages: Passages, questions: Questions, shard: Rows) -> list[DsiShard]:
    """Return the untrained shards. ``shard`` comes from `assign_shards`, or is any other partition of the passages.

    A question whose docid is in another shard, or in none, is foreign.
    """
    home = dict(zip(passages.ids, shard.tolist(), strict=True))
    asked = np.array([home.get(pair.docid, FOREIGN) for pair in questions.pairs], np.int64)
    prepared = []
    for number in np.unique(shard).tolist():
        others = np.flatnonzero(asked != number)
        wanted = max(FOREIGN_MINIMUM, int(FOREIGN_PER_OWN * (asked == number).sum()))
        rng = np.random.default_rng([SEED, number])
        foreign = questions.take(np.sort(rng.choice(others, min(wanted, len(others)), replace=False)))
        own = questions.take(np.flatnonzero(asked == number))
        prepared.append(prepare_shard(passages.take(np.flatnonzero(shard == number)), own, foreign))
    return prepared


def prepare_shard(passages: Passages, own: Questions, foreign: Questions) -> DsiShard:
    """Return docids, initial model and examples of one shard, without contributors' implausible pairs."""
    books = Codebooks.fit(passages.vectors)
    codes = add_suffixes(books.codes(passages.vectors))
    order = sort_order(codes)
    passages, trie = passages.take(order), Trie(codes[order])
    places = {name: place for place, name in enumerate(passages.ids)}
    owners = [(features(pair.question), places[pair.docid]) for pair in own.pairs if not pair.contributor]
    model = initial_model(passages.ids, trie, passages.vectors, passages.texts, owners)
    own = filter_plausible(model, own)
    # A foreign question has full weight, even from a contributor.
    pairs = [pair._replace(docid="", weight=1.0, contributor="") for pair in foreign.pairs]
    examples = [encode_examples(own, places), encode_examples(Questions(pairs, foreign.vectors), places)]
    if not foreign.pairs:
        examples.append(_random_foreign(passages.vectors.shape[1], len(own.pairs)))
    return DsiShard(model, books, concatenate(examples))


def filter_plausible(model: Model, questions: Questions) -> Questions:
    """Return the owner's pairs, and those of contributors whose passage an untrained model finds by its text."""

    def is_found(row: int) -> bool:
        pair = questions.pairs[row]
        found = beam_search(model, questions.vectors[row], features(pair.question), PLAUSIBLE)
        return any(model.ids[place] == pair.docid for place in found.places)

    kept = [row for row, pair in enumerate(questions.pairs) if not pair.contributor or is_found(row)]
    return questions.take(np.array(kept, np.int64))


def _random_foreign(dimension: int, own: int) -> Examples:
    """Return random vectors with unknown words, as foreign questions where there are none."""
    rng = np.random.default_rng(SEED)
    count = max(FOREIGN_MINIMUM, own)
    vectors = rng.standard_normal((count, dimension)).astype(np.float32)
    unknown = rng.integers(0, 1 << 32, (count, 8), dtype=np.uint32)
    return Examples(
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16),
        features=[np.unique(row) for row in unknown],
        places=np.full(count, FOREIGN),
        weights=np.ones(count, np.float32),
    )
