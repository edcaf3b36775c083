"""One ranking from many nodes, whoever answered first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knet.codec import cid_of
from knet.index.lexical import tokens
from knet.query.merge import Ranked, merge
from knet.query.route import pooled_statistics
from knet.query.verify import Checked, Nonces, verify_reply
from knet.records import Reputation

from .support import SPACE, Owner, embed, question_for, request_for

QUESTION = "Which bird sings at night?"
OWNERS = [
    Owner(1, ["The nightingale sings at night.", "Sparrows chirp at dawn.", "A bird in the hand."]),
    Owner(2, ["The nightingale sings at night.", "Night trains run late.", "Choirs sing on Sunday."]),
    Owner(3, ["The vulture sings at night.", "Bats fly at night.", "Owls hunt mice by ear."]),
]


def hits() -> list[Checked]:
    request = request_for(QUESTION)
    found: list[Checked] = []
    for owner in OWNERS:
        found += verify_reply(owner.reply(request), owner.view, question_for(request), embed(QUESTION), Nonces())[0]
    return found


HITS = hits()


def merged(found: list[Checked], reputations: dict[int, Reputation] | None = None, k: int = 5) -> list[Ranked]:
    views = [owner.view for owner in OWNERS]
    statistics = pooled_statistics(views, tokens(QUESTION))
    spaces = dict.fromkeys((1, 2, 3), cid_of(SPACE))
    return merge(QUESTION, found, spaces, statistics, reputations or {}, k=k)


@given(st.permutations(HITS))
def test_the_order_of_arrival_does_not_matter(found: list[Checked]) -> None:
    expected = [(r.checked.hit.text, sorted([r.checked.node, *r.sources])) for r in merged(HITS)]
    assert [(r.checked.hit.text, sorted([r.checked.node, *r.sources])) for r in merged(found)] == expected


def test_equal_texts_become_one_passage_with_two_sources() -> None:
    held = [r for r in merged(HITS) if r.checked.hit.text == "The nightingale sings at night."]
    assert [{r.checked.node, *r.sources} for r in held] == [{1, 2}]


def test_reliability_decides_between_passages_that_compete() -> None:
    trusted = Reputation(positive=20, negative=0, count=20)
    distrusted = Reputation(positive=0, negative=20, count=20)
    first = merged(HITS, {1: distrusted, 2: distrusted, 3: trusted})[0]
    assert first.checked.node == 3
    assert first.checked.hit.text == "The vulture sings at night."


def test_trust_does_not_lift_an_irrelevant_passage() -> None:
    trusted = Reputation(positive=1000, negative=0, count=1000)
    texts = [r.checked.hit.text for r in merged(HITS, {2: trusted}, k=3)]
    assert "Choirs sing on Sunday." not in texts


def test_nothing_in_nothing_out() -> None:
    assert merged([]) == []
