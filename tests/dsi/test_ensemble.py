"""Several models asked as one: what one of them knows is not outvoted by those that know nothing."""

from __future__ import annotations

import numpy as np
import pytest

from knet.dsi import FLOOR, DsiRetriever, Model, load_models, train_collection
from knet.dsi.features import features
from knet.dsi.search import beam_search
from tests.network.support import WORD_SPACE

from .support import EMBEDDER, QUICK, asking, pairs, passages

QUESTION = "Why is the volcano feared?"
VECTOR = EMBEDDER.encode([QUESTION])[0]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    folder = tmp_path_factory.mktemp("models")
    train_collection(passages(), asking(pairs()), WORD_SPACE, folder, shards=3, settings=QUICK)
    return load_models(folder)[1]


def test_the_shard_that_knows_answers(models: list[Model]) -> None:
    found = DsiRetriever(models).search(QUESTION, VECTOR)
    assert found[0].docid == "volcano-danger"
    assert found[0].score > np.log(0.25)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_the_order_of_the_models_does_not_matter(models: list[Model]) -> None:
    assert DsiRetriever(models).search(QUESTION, VECTOR) == DsiRetriever(models[::-1]).search(QUESTION, VECTOR)


def test_strangers_best_guesses_are_scored_as_guesses(models: list[Model]) -> None:
    hashes = features(QUESTION)
    strangers = [model for model in models if "volcano-danger" not in model.places]
    assert strangers
    for model in strangers:
        assert np.exp(beam_search(model, VECTOR, hashes).scores).sum() < 0.5


def test_candidates_of_others_get_the_score_that_a_search_gives(models: list[Model]) -> None:
    retriever = DsiRetriever(models)
    found = {each.docid: each.score for each in retriever.search(QUESTION, VECTOR)}
    assert retriever.score(QUESTION, VECTOR, found) == pytest.approx(found, rel=1e-4)


def test_an_id_that_no_model_knows_has_the_lowest_score(models: list[Model]) -> None:
    assert DsiRetriever(models).score(QUESTION, VECTOR, ["nobody-knows"]) == {"nobody-knows": FLOOR}


def test_an_id_of_two_models_counts_once(models: list[Model]) -> None:
    found = DsiRetriever([*models, *models]).search(QUESTION, VECTOR)
    assert len({each.docid for each in found}) == len(found)
    assert found == DsiRetriever(models).search(QUESTION, VECTOR)


def test_no_models_answer_nothing() -> None:
    assert DsiRetriever([]).search(QUESTION, VECTOR) == []
