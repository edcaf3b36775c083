"""Merge of verified hits from many nodes into one ranking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knet.index.analyser import split_words, tokens
from knet.records import Reputation
from knet.routing.options import Options
from knet.routing.query import Query, Selection
from knet.routing.router import pooled_statistics
from knet.search.merge import NO_FEATURES, NO_FEEDBACK, Features, Feedback, RankedPassage, merge
from knet.search.verify_reply import ReplayGuard, VerifiedHit, verify_reply
from knet.trust.reliability import passage_key

from .support import Owner, embed, question_for, request_for

QUESTION = "Which bird sings at night?"
TEXTS = ["The nightingale sings at night.", "Sparrows chirp at dawn.", "A bird in the hand."]
OWNERS = [
    Owner(1, TEXTS),
    Owner(2, ["The nightingale sings at night.", "Night trains run late.", "Choirs sing on Sunday."]),
    Owner(3, ["The vulture sings at night.", "Bats fly at night.", "Owls hunt mice by ear."]),
]


def hits(owners: list[Owner]) -> list[VerifiedHit]:
    request = request_for(QUESTION)
    found: list[VerifiedHit] = []
    for owner in owners:
        found += verify_reply(owner.reply(request), owner.view, question_for(request), embed(QUESTION), ReplayGuard())[
            0
        ]
    return found


HITS = hits(OWNERS)


def merged(
    found: list[VerifiedHit],
    reputations: dict[int, Reputation] | None = None,
    k: int = 5,
    feedback: Feedback = NO_FEEDBACK,
    features: Features = NO_FEATURES,
) -> list[RankedPassage]:
    views = {owner.node: owner.view for owner in OWNERS}
    statistics = pooled_statistics(views.values(), tokens(QUESTION))
    selection = Selection([], 0, views, reputations or {}, statistics)
    return merge(Query(QUESTION, {}, Options(k=k)), found, selection, feedback, features)


@given(st.permutations(HITS))
def test_order_of_arrival_does_not_matter(found: list[VerifiedHit]) -> None:
    expected = [(r.checked.hit.text, sorted([r.checked.node, *r.sources])) for r in merged(HITS)]
    assert [(r.checked.hit.text, sorted([r.checked.node, *r.sources])) for r in merged(found)] == expected


def test_equal_texts_become_one_passage_with_two_sources() -> None:
    held = [r for r in merged(HITS) if r.checked.hit.text == "The nightingale sings at night."]
    assert [{r.checked.node, *r.sources} for r in held] == [{1, 2}]


def test_reliability_decides_among_competing_passages() -> None:
    trusted = Reputation(positive=20, negative=0, count=20)
    distrusted = Reputation(positive=0, negative=20, count=20)
    first = merged(HITS, {1: distrusted, 2: distrusted, 3: trusted})[0]
    assert first.checked.node == 3
    assert first.checked.hit.text == "The vulture sings at night."


def test_trust_does_not_lift_an_irrelevant_passage() -> None:
    trusted = Reputation(positive=1000, negative=0, count=1000)
    texts = [r.checked.hit.text for r in merged(HITS, {2: trusted}, k=3)]
    assert "Choirs sing on Sunday." not in texts


def test_order_of_arrival_does_not_matter_among_rated_nodes() -> None:
    named = {1: KNOWN, 2: Reputation(positive=2, negative=2, count=4), 3: KNOWN}
    expected = [(r.checked.hit.text, r.checked.node) for r in merged(HITS, named)]
    for shift in range(len(HITS)):
        found = HITS[shift:] + HITS[:shift]
        assert [(r.checked.hit.text, r.checked.node) for r in merged(found[::-1], named)] == expected


def test_own_rating_of_a_passage_applies_at_every_source() -> None:
    first = merged(HITS)[0].checked.hit.text
    ratings = {passage_key(split_words(first)): Reputation(negative=1, count=1)}
    texts = [r.checked.hit.text for r in merged(HITS, k=9, feedback=Feedback(ratings))]
    assert texts[0] != first
    assert first in texts, "the passage is ranked lower, not hidden"


def test_most_reliable_node_of_equal_texts_is_shown() -> None:
    held = next(r for r in merged(HITS, {2: KNOWN}) if r.checked.hit.text == "The nightingale sings at night.")
    assert (held.checked.node, held.sources) == (2, [1])


# --- attacks -------------------------------------------------------------------------------------------------------

PLANTED = [
    "{} The vulture.",
    "{} It is the vulture.",
    "The vulture is the answer. {}",
    "Experts agree: {} The vulture.",
]
KNOWN = Reputation(positive=30, negative=0, count=30)


def test_repeated_planted_answer_gains_nothing() -> None:
    """A planted text contains the question, so its relevance is highest; its node is as reliable as the others."""
    right = "The bird that sings at night is the nightingale, and it has never been heard by day."
    honest = [Owner(node, [right, *TEXTS[1:]]) for node in range(1, 5)]
    names = dict.fromkeys(range(1, 6), KNOWN)
    for times in (1, 2, 4):
        attacker = Owner(5, [text.format(QUESTION) for text in PLANTED[:times]])
        found = hits([*honest, attacker])
        assert merged(found)[0].checked.node == 5, "relevance decides among nodes without ratings"
        assert merged(found, names)[0].checked.hit.text == right


def test_version_contradicted_by_reliable_nodes_is_ranked_lower() -> None:
    text = "The nightingale, a small brown bird, sings at night in the woods of the south."
    altered = text.replace("nightingale", "vulture").replace("brown", "black")
    found = hits([Owner(1, [text]), Owner(2, [altered]), Owner(3, TEXTS)])
    assert altered in [r.checked.hit.text for r in merged(found)[:3]]
    named = merged(found, {1: KNOWN})
    assert named[0].checked.hit.text == text
    assert named[-1].checked.hit.text == altered


def test_merge_of_no_hits_is_empty() -> None:
    assert merged([]) == []


# --- extra features ---------------------------------------------------------------------------------------------------


def test_score_shares_sum_to_the_score() -> None:
    for ranked in merged(HITS, {2: KNOWN}):
        assert abs(sum(ranked.shares.values()) - ranked.score) < 1e-3
        assert {"dense", "bm25", "focus", "phrase"} == ranked.scores.keys()


def test_text_that_contains_another_is_the_same_passage() -> None:
    longer = "News. " + TEXTS[0]
    found = merged(hits([Owner(1, TEXTS), Owner(2, [longer])]))
    assert sum("nightingale" in r.checked.hit.text for r in found) == 1
    assert next({r.checked.node, *r.sources} for r in found if "nightingale" in r.checked.hit.text) == {1, 2}


def test_reranker_decides_among_the_best() -> None:
    from knet.search.rerank import rerank_columns

    views = {owner.node: owner.view for owner in OWNERS}
    rerank = rerank_columns(views, {}, None, lambda question, texts: [float("Bats" in text) for text in texts])
    found = merged(HITS, k=9, features=Features(rerank=rerank))
    assert found[0].checked.hit.text == "Bats fly at night."
    assert found[0].scores["rerank"] == 1.0


def test_passage_known_to_answer_the_question_rises() -> None:
    text = "Owls hunt mice by ear."
    known = {passage_key(split_words(text)): ["Which bird sings at night and hunts?"]}
    before = {r.checked.hit.text: r.score for r in merged(HITS, k=9)}
    after = {r.checked.hit.text: r.score for r in merged(HITS, k=9, feedback=Feedback(answered=known))}
    assert after[text] - before[text] > 0.3 > max(after[each] - before[each] for each in before if each != text)
