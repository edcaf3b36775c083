"""Tests of updates: documents are removed or added, and the others keep their docids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knet.dsi.collection import load_models, train_collection, update_collection
from knet.dsi.corpus import Passages, Questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.evaluation import evaluate
from knet.dsi.pairs import WeightedPair
from knet.errors import ConfigError
from tests.network.support import WORD_SPACE

from .support import EMBEDDER, QUICK, asking, pairs, passages

NEW = {
    "lighthouse-height": "The lighthouse rises forty metres above the reef and was built of granite blocks.",
    "lighthouse-lamp": "A keeper lit the lamp of the lighthouse with whale oil until electricity arrived.",
    "orchard-apples": "The orchard grows nine kinds of apples, which are pressed into cider every autumn.",
}
NEW_PAIRS = [
    WeightedPair("How high does the lighthouse rise above the reef?", "lighthouse-height"),
    WeightedPair("What burned in the lamp before electricity?", "lighthouse-lamp"),
    WeightedPair("How many kinds of apples grow in the orchard?", "orchard-apples"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train_collection(passages(), asking(pairs()), WORD_SPACE, tmp_path, shards=2, settings=QUICK)
    return tmp_path


def new_passages() -> Passages:
    return Passages(list(NEW), list(NEW.values()), EMBEDDER.encode(list(NEW.values())))


def answers(folder: Path, questions: Questions) -> list[str]:
    retriever = DsiRetriever(load_models(folder)[1])
    return [
        retriever.search(pair.question, vector)[0].docid
        for pair, vector in zip(questions.pairs, questions.vectors, strict=True)
    ]


def docids(folder: Path) -> dict[str, tuple[int, list[int]]]:
    """Return shard and codes of each id."""
    return {
        name: (number, model.trie.codes[place].tolist())
        for number, model in enumerate(load_models(folder)[1])
        for place, name in enumerate(model.ids)
    }


def test_removed_documents_are_not_found(folder: Path) -> None:
    before = docids(folder)
    gone = {"heron-size", "violin-use", "tides-danger"}
    report = update_collection(folder, None, None, [*gone, "never-was-there"])
    assert (report.removed, report.passages) == (3, 57)
    after = docids(folder)
    assert after == {name: place for name, place in before.items() if name not in gone}
    retriever = DsiRetriever(load_models(folder)[1])
    asked = asking([pair for pair in pairs() if pair.docid in gone])
    for pair, vector in zip(asked.pairs, asked.vectors, strict=True):
        assert not gone & {each.docid for each in retriever.search(pair.question, vector, k=60, beam=60)}


def test_remaining_documents_are_found_as_before(folder: Path) -> None:
    rest = asking([pair for pair in pairs() if not pair.docid.startswith("heron")])
    before = answers(folder, rest)
    update_collection(folder, None, None, [f"heron-{aspect}" for aspect in ("size", "use", "origin")])
    same = np.mean([one == other for one, other in zip(before, answers(folder, rest), strict=True)])
    assert same > 0.98


def test_new_documents_are_found_and_old_docids_stay(folder: Path) -> None:
    before = docids(folder)
    old = evaluate(DsiRetriever(load_models(folder)[1]), asking(pairs())).mrr
    report = update_collection(folder, new_passages(), asking(NEW_PAIRS), [])
    assert (report.added, report.passages) == (3, 63)
    after = docids(folder)
    assert {name: place for name, place in after.items() if name not in NEW} == before
    assert len({(shard, tuple(codes)) for shard, codes in after.values()}) == 63
    assert answers(folder, asking(NEW_PAIRS)) == [pair.docid for pair in NEW_PAIRS]
    assert evaluate(DsiRetriever(load_models(folder)[1]), asking(pairs())).mrr > 0.97 * old


def test_new_document_without_questions_is_found_by_text(folder: Path) -> None:
    update_collection(folder, new_passages(), None, [])
    assert answers(folder, asking(NEW_PAIRS)) == [pair.docid for pair in NEW_PAIRS]


def test_changed_document_keeps_its_id(folder: Path) -> None:
    text = "The heron eats frogs."
    changed = Passages(["heron-size"], [text], EMBEDDER.encode([text]))
    with pytest.raises(ConfigError, match="heron-size"):
        update_collection(folder, changed, None, [])
    update_collection(folder, changed, None, ["heron-size"])
    asked = asking([WeightedPair("What frogs does the heron eat?", "heron-size")])
    assert answers(folder, asked) == ["heron-size"]


def test_successive_updates_work(folder: Path) -> None:
    update_collection(folder, new_passages(), asking(NEW_PAIRS), [])
    update_collection(folder, None, None, list(NEW))
    assert docids(folder).keys() == set(passages().ids)
    update_collection(folder, new_passages(), asking(NEW_PAIRS), [])
    assert answers(folder, asking(NEW_PAIRS)) == [pair.docid for pair in NEW_PAIRS]


def test_removal_of_last_document_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="last document"):
        update_collection(folder, None, None, passages().ids)
    assert len(docids(folder)) == 60
