"""Cross-source agreement: majorities, copies, versions and penalties."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knet.records import Reputation
from knet.trust.agreement import claim, conflict_penalty, outcomes, outlier_penalty, versions
from knet.trust.reliability import observed

from .support import rated

QUESTION = "How tall is the tower of iron in Paris?"
RIGHT = "Visitors come from everywhere. The tower of iron in Paris is 330 metres tall, says its keeper."
WRONG = "Visitors come from everywhere. The tower of iron in Paris is 630 metres tall, says its keeper."
OTHER = "Visitors come from everywhere. The tower of iron in Paris is 990 metres tall, says its keeper."
APART = "Boats on the river leave every half hour and pass below eleven bridges."


def words(text: str) -> frozenset[str]:
    return claim(0, QUESTION, text).words


def test_two_sources_outvote_a_third() -> None:
    claims = [claim(1, QUESTION, RIGHT), claim(2, QUESTION, RIGHT), claim(3, QUESTION, WRONG)]
    assert outcomes(claims, {}) == {1: 1.0, 2: 1.0, 3: -1.0}


def test_copies_of_one_source_count_once() -> None:
    claims = [claim(1, QUESTION, RIGHT), *[claim(3, QUESTION, WRONG)] * 20]
    assert outcomes(claims, {}) == {}, "one source against one, regardless of copies"
    claims.append(claim(2, QUESTION, RIGHT))
    assert outcomes(claims, {})[3] == -1.0


def test_source_with_a_unique_claim_gets_no_outcome() -> None:
    assert outcomes([claim(1, QUESTION, RIGHT), claim(2, QUESTION, RIGHT), claim(3, QUESTION, APART)], {}) == {}
    assert outcomes([claim(1, QUESTION, RIGHT), claim(2, QUESTION, WRONG), claim(3, QUESTION, OTHER)], {}) == {}


def test_same_form_about_another_subject_contradicts_nothing() -> None:
    question = "Is Zellweger syndrome inherited?"
    form = "{} syndrome is inherited in an autosomal recessive pattern, which means both copies have mutations."
    claims = [claim(n, question, form.format(name)) for n, name in enumerate(["Zellweger", "Zellweger", "Usher"])]
    assert outcomes(claims, {}) == {}


def test_versions_with_equal_quotable_sentences_agree() -> None:
    edited = RIGHT.replace("everywhere", "anywhere")
    assert outcomes([claim(1, QUESTION, RIGHT), claim(2, QUESTION, RIGHT), claim(3, QUESTION, edited)], {}) == {}


def test_reliable_source_outweighs_two_unreliable_ones() -> None:
    known = {1: rated(40, 0), 2: rated(1, 40), 3: rated(1, 40)}
    claims = [
        claim(1, QUESTION, RIGHT),
        claim(4, QUESTION, RIGHT),
        claim(2, QUESTION, WRONG),
        claim(3, QUESTION, WRONG),
    ]
    assert outcomes(claims, known)[2] == -1.0


def test_reliability_converges_without_labels() -> None:
    """Six sources with increasing error rates and independent errors."""
    random = np.random.default_rng(1)
    questions = []
    for number in range(150):
        wrong = random.random(6) < np.arange(6) / 5
        texts = [RIGHT.replace("330", f"{source}{number}") if wrong[source] else RIGHT for source in range(6)]
        questions.append([claim(source, QUESTION, text) for source, text in enumerate(texts)])
    known: dict[int, Reputation] = {}
    for _ in range(5):  # each vote weighs the sources by the outcomes of the one before
        earlier, known = known, {}
        for claims in questions:
            for source, outcome in outcomes(claims, earlier).items():
                known[source] = observed(known.get(source, Reputation()), outcome)
    means = [known[source].mean for source in range(6)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.95
    assert means[5] < 0.1


def test_versions_of_one_text_share_a_label() -> None:
    assert versions([words(t) for t in (RIGHT, APART, WRONG, OTHER, APART)]) == [0, 1, 0, 0, 1]
    assert versions([]) == []


def test_version_is_penalized_only_if_a_reliable_source_contradicts_it() -> None:
    texts, asked = [words(RIGHT), words(WRONG), words(APART)], words(QUESTION)
    assert conflict_penalty(asked, texts, [1, 2, 3], {}).tolist() == [0, 0, 0]
    penalty = conflict_penalty(asked, texts, [1, 2, 3], {1: 3.0})
    assert penalty[1] > 0.9
    assert penalty[[0, 2]].tolist() == [0, 0]


def test_outlier_is_penalized_only_against_a_majority() -> None:
    """A planted answer repeats the question, so it outranks the others: four reliable sources outvote it."""
    texts = [words("How tall is the tower of iron in Paris? It is 9 metres tall.")] + [words(RIGHT)] * 4
    relevance, answers = np.array([3.0, 1, 1, 1, 1]), np.ones(5, bool)
    weights = dict.fromkeys(range(5), 3.0)
    assert outlier_penalty(relevance, answers, texts, range(5), weights)[0] == 0.75
    assert not outlier_penalty(relevance, answers, texts, range(5), {}).any(), "unknown sources have no weight"
    mixed = [texts[0], texts[1], words(APART), words(WRONG), words(OTHER)]
    assert not outlier_penalty(relevance, answers, mixed, range(5), weights).any()
    assert not outlier_penalty(relevance, answers, mixed, range(5), {1: 9.0}).any(), "a single source has no majority"


@given(st.permutations([(1, RIGHT), (2, RIGHT), (3, WRONG), (3, RIGHT), (4, OTHER), (5, APART)]))
def test_order_of_claims_does_not_change_the_outcome(held: list[tuple[int, str]]) -> None:
    one_each = [pair for pair in held if pair != (3, RIGHT)]
    claims = [claim(source, QUESTION, text) for source, text in one_each]
    assert outcomes(claims, {4: Reputation()}) == {1: 1.0, 2: 1.0, 3: -1.0, 4: -1.0}
