"""Tests of beam search against exhaustive search over the existing docids."""

from __future__ import annotations

import numpy as np
import pytest

from knet.dsi.model import Model
from knet.dsi.search import StepSoftmax, beam_search, log_probabilities
from knet.errors import SpaceMismatch

from .support import children, null_probability, random_model, small_codes

VECTOR = np.random.default_rng(5).standard_normal(8).astype(np.float32)
HASHES = np.array([3, 10, 12, 15, 99], np.uint32)  # two of them are unknown to the model


def by_hand(model: Model) -> tuple[np.ndarray, float]:
    """Return p of each document and of null at the root, by the formula, one softmax after the other."""
    hidden = VECTOR + model.up @ np.maximum(model.down @ VECTOR + model.shift, 0)
    lexical, trie = model.lexical, model.trie
    logits = (model.rows @ hidden + model.bias).astype(np.float64)
    for row, term in enumerate(lexical.terms):
        if term in HASHES:
            for entry in range(lexical.starts[row], lexical.starts[row + 1]):
                logits[lexical.edges[entry]] += lexical.weights[entry]
            logits[trie.edges :] += lexical.null[row]
    logits[trie.edges :] += 2 * lexical.unknown

    def step(before: int, level: int) -> dict[int, float]:
        outcomes = [*children(trie, before), trie.edges + level]
        weights = np.exp(logits[outcomes])
        return dict(zip(outcomes, weights / weights.sum(), strict=True))

    likely = [
        np.prod(
            [step(before, level)[edge] for level, (before, edge) in enumerate(zip([-1, *path], path, strict=False))]
        )
        for path in trie.paths.tolist()
    ]
    return np.array(likely), step(-1, 0)[trie.edges]


@pytest.mark.parametrize("seed", range(5))
def test_wide_beam_equals_exhaustive_search(seed: int) -> None:
    model = random_model(small_codes(), seed=seed)
    expected, null = by_hand(model)
    found = beam_search(model, VECTOR, HASHES, beam=100)
    assert found.places.tolist() == np.argsort(-expected, kind="stable").tolist()
    assert np.exp(found.scores) == pytest.approx(expected[found.places], rel=1e-4)
    assert null_probability(model, VECTOR, HASHES) == pytest.approx(null, rel=1e-4)


def test_probabilities_of_documents_and_nulls_sum_to_one() -> None:
    model = random_model(small_codes())
    steps, trie = StepSoftmax(model, VECTOR, HASHES), model.trie
    mass = {-1: 1.0}
    lost = 0.0
    for level in range(trie.levels):
        edges, sizes, log_p = steps.expand(np.array(list(mass)), level)
        given = np.repeat(list(mass.values()), sizes) * np.exp(log_p)
        lost += sum(mass.values()) - given.sum()
        mass = dict(zip(edges.tolist(), given.tolist(), strict=True))
    assert lost + sum(mass.values()) == pytest.approx(1.0, rel=1e-5)
    assert 0 < lost < 1


def test_log_probabilities_equal_search_scores() -> None:
    model = random_model(small_codes(), seed=3)
    found = beam_search(model, VECTOR, HASHES, beam=100)
    assert log_probabilities(model, VECTOR, HASHES, found.places) == pytest.approx(found.scores, rel=1e-5)


def test_narrow_beam_finds_a_part_of_the_list() -> None:
    model = random_model(small_codes(), seed=1)
    wide = beam_search(model, VECTOR, HASHES, beam=100)
    narrow = beam_search(model, VECTOR, HASHES, beam=2)
    scores = dict(zip(wide.places.tolist(), wide.scores.tolist(), strict=True))
    assert len(narrow.places) == 2
    assert all(scores[place] == pytest.approx(score) for place, score in zip(*narrow, strict=True))


def test_model_of_one_document_returns_it() -> None:
    model = random_model(np.zeros((1, 1), np.uint16))
    assert beam_search(model, VECTOR, HASHES).places.tolist() == [0]


def test_vector_of_another_space_is_refused() -> None:
    with pytest.raises(SpaceMismatch, match="has 8"):
        beam_search(random_model(small_codes()), np.zeros(5, np.float32), HASHES)
