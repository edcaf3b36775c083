"""Tests of the search over several models, whose scores are comparable."""

from __future__ import annotations

import numpy as np
import pytest

from knet.dsi.collection import load_models, train_collection
from knet.dsi.ensemble import FLOOR, DsiRetriever
from knet.dsi.features import features
from knet.dsi.model import Model
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


def test_shard_with_the_document_ranks_first(models: list[Model]) -> None:
    found = DsiRetriever(models).search(QUESTION, VECTOR)
    assert found[0].docid == "volcano-danger"
    assert found[0].score > np.log(0.25)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_result_is_independent_of_the_order_of_models(models: list[Model]) -> None:
    assert DsiRetriever(models).search(QUESTION, VECTOR) == DsiRetriever(models[::-1]).search(QUESTION, VECTOR)


def test_documents_of_other_shards_score_low(models: list[Model]) -> None:
    hashes = features(QUESTION)
    strangers = [model for model in models if "volcano-danger" not in model.places]
    assert strangers
    for model in strangers:
        assert np.exp(beam_search(model, VECTOR, hashes).scores).sum() < 0.5


def test_score_of_given_ids_equals_that_of_search(models: list[Model]) -> None:
    retriever = DsiRetriever(models)
    found = {each.docid: each.score for each in retriever.search(QUESTION, VECTOR)}
    assert retriever.score(QUESTION, VECTOR, found) == pytest.approx(found, rel=1e-4)


def test_unknown_id_has_the_lowest_score(models: list[Model]) -> None:
    assert DsiRetriever(models).score(QUESTION, VECTOR, ["unknown-id"]) == {"unknown-id": FLOOR}


def test_id_of_two_models_is_returned_once(models: list[Model]) -> None:
    found = DsiRetriever([*models, *models]).search(QUESTION, VECTOR)
    assert len({each.docid for each in found}) == len(found)
    assert found == DsiRetriever(models).search(QUESTION, VECTOR)


def test_search_without_models_is_empty() -> None:
    assert DsiRetriever([]).search(QUESTION, VECTOR) == []
