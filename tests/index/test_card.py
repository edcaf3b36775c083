"""Tests of revised cards: their counts equal those of a new card with the same centroids."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import pytest

from knet.index.analyser import tokens
from knet.index.card import Batch, make_card, revise_card
from knet.index.card_format import read_centroids, read_df, read_places, read_spreads
from knet.index.lexical import term_hash
from knet.index.shard import Vectors
from knet.records import Space

WIDE = Space(model="test", weights=b"w" * 32, dimension=24)


def chunks(count: int, seed: int) -> Batch:
    """Return chunks around eight topics, each with its own words and common ones."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).normal(size=(8, WIDE.dimension))
    own = rng.integers(8, size=count)
    vectors = (topics[own] + 0.4 * rng.normal(size=(count, WIDE.dimension))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"every chunk topic{topic} " + " ".join(f"w{i}" for i in rng.integers(0, 400, 9)) for topic in own]
    return Batch(vectors, texts)


def part(batch: Batch, rows: slice) -> Batch:
    return Batch(batch.vectors[rows], batch.texts[rows])


def nearest(centroids: Vectors, batch: Batch) -> np.ndarray:  # type: ignore[type-arg]
    return np.argmax(batch.vectors @ centroids.T, axis=1)


@pytest.mark.parametrize("pieces", [1, 5])
def test_revised_card_counts_live_chunks(pieces: int) -> None:
    old, new = chunks(2000, 1), chunks(60, 2)
    card = make_card(WIDE, [old], title="Birds", documents=2000)
    for piece in range(pieces):
        come = part(new, slice(piece * 60 // pieces, (piece + 1) * 60 // pieces))
        gone = part(old, slice(piece * 40 // pieces, (piece + 1) * 40 // pieces))
        card = revise_card(card, WIDE, [come], [gone], documents=2000 + piece)
    now = Batch(np.concatenate([old.vectors[40:], new.vectors]), [*old.texts[40:], *new.texts])
    centroids = read_centroids(card, WIDE)
    near = nearest(centroids, now)
    weights = np.frombuffer(card.weights, "<u4")
    df = Counter(term_hash(term) for text in now.texts for term in set(tokens(text)))
    cosines = np.einsum("ij,ij->i", now.vectors, centroids[near])
    assert (card.chunks, card.documents, card.title) == (2020, 2000 + pieces - 1, "Birds")
    assert weights.sum() == 2020
    assert np.abs(weights - np.bincount(near, minlength=64)).sum() <= 4, "float16 may move one that lies between two"
    assert read_df(card) == {term: df[term] for term in read_df(card)}
    assert card.average_length == pytest.approx(np.mean([len(tokens(text)) for text in now.texts]))
    assert read_spreads(card) @ weights == pytest.approx(cosines.sum(), rel=2e-3)


def test_added_terms_are_marked_at_their_centroid() -> None:
    old, new = chunks(2000, 1), chunks(60, 2)
    card = make_card(WIDE, [old], title="Birds", documents=1)
    rare = Batch(new.vectors[:1], ["topic1 w1 w2 w3"])
    revised = revise_card(card, WIDE, [rare], [], documents=1)
    (centroid,) = nearest(read_centroids(card, WIDE), rare).tolist()
    places = dict(zip(read_df(revised), read_places(revised).tolist(), strict=True))
    assert all(places[term_hash(word)] >> centroid & 1 for word in tokens(rare.texts[0]))
    before = dict(zip(read_df(card), read_places(card).tolist(), strict=True))
    assert all(places[term] & marked == marked for term, marked in before.items())


def test_revision_without_changes_keeps_the_card() -> None:
    card = make_card(WIDE, [chunks(500, 3)], title="Birds", documents=1)
    same = revise_card(card, WIDE, [], [], documents=1)
    assert np.allclose(read_spreads(same), read_spreads(card), atol=1e-3)
    assert msgspec.structs.replace(same, spreads=card.spreads) == card
