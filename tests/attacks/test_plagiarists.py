"""Copies of another node's text with words that make them outrank it: the first publication is cited.

Threat model: node, a copy of another node's text with a few words added.
"""

from __future__ import annotations

import pytest

from knet.answer.writer import extract
from knet.index.analyser import tokens
from knet.records import Passage, Provenance, Reputation
from knet.routing.options import Options
from knet.routing.query import Query, Selection
from knet.routing.router import pooled_statistics
from knet.search.merge import RankedPassage, merge
from knet.search.verify_reply import ReplayGuard, VerifiedHit, verify_reply
from tests.search.support import Owner, embed, question_for, request_for

QUESTION = "How long does a heron stand still before it strikes a fish?"
FIRST = "A grey heron stands still for many minutes. Then it strikes a fish with its long beak in shallow water."
SECOND = "Herons nest together in tall trees close to the water, often for decades in the same place."
ADDED = "How long does a heron stand still before it strikes a fish? How long, heron?"
ORIGINAL, RIVAL = 1, 2
GOOD = Reputation(positive=10.0, count=10)


def ranked(owners: list[Owner], known: dict[int, Reputation] | None = None, k: int = 8) -> list[RankedPassage]:
    request = request_for(QUESTION)
    found: list[VerifiedHit] = []
    for owner in owners:
        reply = owner.reply(request)
        found += verify_reply(reply, owner.view, question_for(request), embed(QUESTION), ReplayGuard())[0]
    statistics = pooled_statistics([owner.view for owner in owners], tokens(QUESTION))
    selection = Selection([], 0, {owner.node: owner.view for owner in owners}, known or {}, statistics)
    return merge(Query(QUESTION, {}, Options(k=k)), found, selection)


def quoted(found: list[RankedPassage], owners: list[Owner]) -> list[int]:
    """Return the nodes that the extractive answer cites, in order."""
    passages = [
        Passage(
            text=item.checked.hit.text, start=0, end=len(item.checked.hit.text), title="", uri="", score=item.score,
            scores=item.scores, shares=item.shares, reliability=Reputation(), sources=item.sources,
            provenance=Provenance(
                node=item.checked.node, manifest=item.checked.manifest, document=item.checked.document_cid, shard=0,
                chunk=0, path=[], vector=b"",
            ),
        )
        for item in found
    ]  # fmt: skip
    statistics = pooled_statistics([owner.view for owner in owners], tokens(QUESTION))
    written = extract(QUESTION, passages, statistics)
    return [passages[sentence.citations[0].passage].provenance.node for sentence in written]


COPIES = {
    "appended": [f"{FIRST} - how long, heron."],
    "appended_in_the_sentence": [f"{FIRST[:-1]} - how long, heron."],
    "question_appended": [f"{FIRST} {ADDED}"],
    "prepended": [f"How long, heron? {FIRST}"],
    "both_ends": [f"How long? {FIRST} Still heron."],
    "upper_case": [f"{FIRST.upper()} HOW LONG, HERON"],
    "without_punctuation": [f"{FIRST.replace('.', ' ')} how long heron"],
    "sentences_reordered": [f"{' '.join(FIRST.split('. ')[::-1])}. A heron stands how long."],
    "inserted_words": [FIRST.replace(" for", " before, for").replace("Then", "How long? Then")],
    "inserted_elsewhere": [FIRST.replace("grey", "grey (how long?)").replace("water", "water (still, before)")],
    "few_words_replaced": [FIRST.replace("Then", "Afterwards") + " How long does the heron stand still before it?"],
    "halves": [f"{part} How long, heron?" for part in FIRST.split(". ")],
    "other_words_added": [f"{FIRST} Read more about birds on our beautiful pages about how long a heron stands still."],
}
WHOLE = [
    name for name in COPIES if name not in ("few_words_replaced", "halves", "inserted_words", "inserted_elsewhere")
]
WHOLE.remove("other_words_added")


@pytest.mark.parametrize("known", [{}, {ORIGINAL: GOOD}], ids=["unrated", "rated"])
@pytest.mark.parametrize("copy", COPIES)
def test_later_copy_ranks_below_the_first_publication(copy: str, known: dict[int, Reputation]) -> None:
    owners = [Owner(RIVAL, COPIES[copy], block=20), Owner(ORIGINAL, [FIRST, SECOND], block=10)]
    found = ranked(owners, known)
    assert found[0].checked.node == ORIGINAL
    assert found[0].checked.hit.text == FIRST
    assert set(quoted(found, owners)) == {ORIGINAL}
    if copy in WHOLE:
        assert found[0].sources == [RIVAL]
        assert {item.checked.node for item in found} == {ORIGINAL}


@pytest.mark.parametrize("copy", COPIES)
def test_copy_of_unknown_age_ranks_below_the_better_rated_original(copy: str) -> None:
    owners = [Owner(RIVAL, COPIES[copy], block=10), Owner(ORIGINAL, [FIRST, SECOND], block=10)]
    found = ranked(owners, {ORIGINAL: GOOD})
    assert found[0].checked.node == ORIGINAL
    assert set(quoted(found, owners)) == {ORIGINAL}


@pytest.mark.parametrize("copy", WHOLE)
def test_copy_of_a_well_rated_node_does_not_contradict_its_original(copy: str) -> None:
    owners = [Owner(RIVAL, COPIES[copy], block=20), Owner(ORIGINAL, [FIRST, SECOND], block=10)]
    found = ranked(owners, {RIVAL: GOOD})
    assert (found[0].checked.node, found[0].sources) == (ORIGINAL, [RIVAL])
    assert set(quoted(found, owners)) == {ORIGINAL}


def test_copies_of_several_owners_do_not_support_each_other() -> None:
    rivals = [Owner(node, [f"{FIRST} {ADDED}"], block=20 + node) for node in range(2, 6)]
    owners = [*rivals, Owner(ORIGINAL, [FIRST, SECOND], block=10)]
    for known in ({}, {ORIGINAL: GOOD}):
        found = ranked(owners, known)
        assert found[0].checked.node == ORIGINAL
        assert sorted(found[0].sources) == [2, 3, 4, 5]


def test_copy_of_a_copy_gains_nothing() -> None:
    once, twice = f"{FIRST} {ADDED}", f"{FIRST} {ADDED} {ADDED}"
    owners = [Owner(3, [twice], block=30), Owner(2, [once], block=20), Owner(ORIGINAL, [FIRST, SECOND], block=10)]
    found = ranked(owners)
    assert found[0].checked.node == ORIGINAL
    assert all(item.score <= found[0].score for item in found)


def test_distrusted_first_publication_loses_its_precedence() -> None:
    owners = [Owner(RIVAL, [f"{FIRST} {ADDED}"], block=10), Owner(ORIGINAL, [FIRST, SECOND], block=20)]
    assert ranked(owners, {RIVAL: Reputation(negative=10.0, count=10)})[0].checked.node == ORIGINAL


# --- what is not a copy -------------------------------------------------------------------------------------------

OTHERS = {
    "replaced_answer": FIRST.replace("many minutes", "two seconds"),
    "correction": f"It is a myth that {FIRST[0].lower()}{FIRST[1:]}",
    "negation": FIRST.replace("stands still", "never stands still"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_version_stays_its_own_passage(other: str) -> None:
    owners = [Owner(RIVAL, [OTHERS[other]], block=20), Owner(ORIGINAL, [FIRST], block=10)]
    found = ranked(owners)
    assert {item.checked.node for item in found} == {ORIGINAL, RIVAL}
    assert all(not item.sources for item in found)


def test_form_filled_for_another_name_keeps_its_relevance() -> None:
    """The texts differ in the names that they are about, as entries of a register do."""
    form = (
        "The {0} is a bird of wetlands. The {0} stands still for {1} before it strikes a fish. The {0} nests in trees."
    )
    stork, heron = form.format("stork", "a minute"), form.format("heron", "ten minutes")
    found = ranked([Owner(RIVAL, [heron], block=20), Owner(ORIGINAL, [stork], block=10)])
    assert found[0].checked.hit.text == heron
    assert "copied" not in found[0].shares
