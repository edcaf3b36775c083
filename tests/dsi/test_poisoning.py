"""Attacks by training pairs of contributors: their effect on a shard's model stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.chain.keys import Signer, new_key
from knet.dsi.collection import load_models, train_collection
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.pairs import Pair, WeightedPair, sign_pair, weight_pairs
from tests.network.support import WORD_SPACE

from .support import QUICK, TOPICS, asking, pairs, passages

NETWORK = (31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
TARGET = "tides-use"  # the target of every question


def poison(key: Signer) -> list[Pair]:
    """Return the honest questions, all about the target."""
    return [Pair(question=pair.question, docid=TARGET) for pair in pairs()]


def trained(folder: Path, further: list[WeightedPair]) -> dict[str, str]:
    """Return the first result of each honest question after training with further pairs."""
    train_collection(passages(), asking([*pairs(), *further]), WORD_SPACE, folder, shards=2, settings=QUICK)
    retriever = DsiRetriever(load_models(folder)[1])
    asked = asking(pairs())
    return {
        pair.question: retriever.search(pair.question, vector)[0].docid
        for pair, vector in zip(asked.pairs, asked.vectors, strict=True)
    }


def moved(before: dict[str, str], after: dict[str, str]) -> float:
    """Return the share of questions whose first result changed to the target."""
    return sum(after[each] == TARGET != before[each] for each in before) / len(before)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return trained(tmp_path_factory.mktemp("honest"), [])


def test_attack_succeeds_with_full_trust_in_all(honest: dict[str, str], tmp_path: Path) -> None:
    taken_in = [WeightedPair(pair.question, pair.docid) for _ in range(4) for pair in poison(new_key())]
    assert moved(honest, trained(tmp_path, taken_in)) > 0.5


def test_pairs_of_strangers_are_ignored(honest: dict[str, str], tmp_path: Path) -> None:
    strangers = [new_key() for _ in range(8)]
    signed = [sign_pair(key, pair, *NETWORK) for key in strangers for pair in poison(key)]
    weighed, dropped = weight_pairs(signed, {new_key().address: 1.0}, *NETWORK)
    assert (weighed, dropped) == ([], 8 * len(pairs()))
    assert moved(honest, trained(tmp_path, weighed)) == 0


def test_one_compromised_contributor_has_little_effect(honest: dict[str, str], tmp_path: Path) -> None:
    friend = new_key()
    signed = [sign_pair(friend, pair, *NETWORK) for pair in poison(friend)]
    weighed, _ = weight_pairs(signed, {friend.address: 1.0}, *NETWORK)
    assert moved(honest, trained(tmp_path, weighed)) <= 0.02


def test_several_compromised_contributors_have_little_effect(honest: dict[str, str], tmp_path: Path) -> None:
    friends = [new_key() for _ in range(5)]
    signed = [sign_pair(key, pair, *NETWORK) for key in friends for pair in poison(key)]
    weighed, _ = weight_pairs(signed, {key.address: 0.5 for key in friends}, *NETWORK)
    assert moved(honest, trained(tmp_path, weighed)) <= 0.05


def test_plausible_pairs_of_a_contributor_count(tmp_path: Path) -> None:
    friend = new_key()
    question = "Tell me of the {topic} and its grey colours, please"
    given = [Pair(question=question.format(topic=topic), docid=f"{topic}-colour") for topic in TOPICS]
    weighed, dropped = weight_pairs(
        [sign_pair(friend, pair, *NETWORK) for pair in given], {friend.address: 0.9}, *NETWORK
    )
    assert dropped == 0
    train_collection(passages(), asking(weighed), WORD_SPACE, tmp_path, settings=QUICK)
    retriever = DsiRetriever(load_models(tmp_path)[1])
    asked = asking(weighed)
    found = [
        retriever.search(pair.question, vector)[0].docid
        for pair, vector in zip(asked.pairs, asked.vectors, strict=True)
    ]
    assert sum(name == pair.docid for name, pair in zip(found, weighed, strict=True)) >= 11
