"""Answers whose passages are all proven, and which say something else than their replies do.

Threat model: author of an answer, an answer that its passages and replies do not give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from msgspec.structs import replace

from knet.answer.live import LiveAnswer
from knet.answer.notebook import verify_notebook
from knet.answer.report import CheckKind, VerificationReport
from knet.answer.writer import extract, numbered
from knet.client.network import Network
from knet.codec import from_json, to_json
from knet.derivation import Claim, Conflict, Derivation, NodeBelief
from knet.index.analyser import tokens
from knet.index.lexical import Statistics
from knet.records import Answer, Citation, Sentence
from tests.network.clients import PATIENT, open_client, own_network
from tests.network.support import start_nodes

from .test_answers import at

QUESTION = "Do swans mate for life and never leave their partner?"
MYTH = "It is a myth that swans mate for life and never leave their partner."
SWANS = f"{MYTH} Some swans do leave their partner and mate again after a summer without young."
COLLECTIONS = [
    {"swans.md": SWANS, "geese.md": "Geese mate early in their life, and both parents guard the young birds."},
    {"copy.md": SWANS, "ducks.md": "Ducks choose another mate in every winter of their life on the lake."},
    {"eggs.md": "A swan lays five to seven eggs and sits on them for five weeks of its life."},
]
SHOWN = 3  # passages of an answer; the others of five hits are candidates

Attack = Callable[[Answer], Answer]


@pytest.fixture(scope="module")
def net(devnet: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    root = tmp_path_factory.mktemp("derivation")
    profile = own_network(devnet, "derivation")  # type: ignore[arg-type]
    with start_nodes(root / "nodes", profile, COLLECTIONS), open_client(profile, root / "client") as net:
        yield net


@pytest.fixture(scope="module")
def answer(net: Network) -> Answer:
    record = net.ask(QUESTION, k=SHOWN, max_nodes="all", node_timeout=PATIENT).record
    assert len(record.receipts) == 3
    assert len(record.sentences) == 2
    assert record.sentences[0].text == MYTH
    assert record.derivation is not None
    assert record.derivation.candidates
    assert record.passages[swans(record)].sources, "two nodes hold the text"
    return record


@pytest.fixture(scope="module")
def private(net: Network) -> Answer:
    return net.ask(QUESTION, k=SHOWN, max_nodes="all", private=True).record


def swans(answer: Answer) -> int:
    return next(n for n, passage in enumerate(answer.passages) if MYTH in passage.text)


def reports(net: Network, answer: Answer) -> list[VerificationReport]:
    """Return the report of an answer in a file, and that of the same answer in a notebook."""
    output = {"output_type": "execute_result", "data": LiveAnswer(answer, net)._repr_mimebundle_()}
    cell = {"cell_type": "code", "source": f"net.ask({answer.question!r})", "outputs": [output]}
    (shown,) = verify_notebook({"nbformat": 4, "cells": [cell]}, lambda each: net.verify(each, embed=False))
    return [net.verify(from_json(to_json(answer), Answer), embed=False), shown]


def test_honest_answer_is_derived_in_every_part(net: Network, answer: Answer) -> None:
    for report in reports(net, answer):
        assert report.ok, [check for check in report.checks if not check.ok]
        kinds = {check.kind for check in report.checks}
        assert {CheckKind.DERIVED, CheckKind.ORDER, CheckKind.SOURCES, CheckKind.COMPLETE} <= kinds


# --- attacks: each verified before derivation was checked ---------------------------------------------------------


def written(answer: Answer, sentences: list[Sentence]) -> Answer:
    return replace(answer, sentences=sentences, text=numbered(sentences), found=bool(sentences))


def quote(answer: Answer, part: str, passage: int | None = None) -> Sentence:
    """Return a sentence that quotes this part of a passage."""
    passage = swans(answer) if passage is None else passage
    whole = answer.passages[passage]
    start = whole.start + whole.text.index(part)
    cited = Citation(passage=passage, start=start, end=start + len(part), exact=part)
    return Sentence(text=" ".join(part.split()), citations=[cited])


def cut_to_say_the_opposite(answer: Answer) -> Answer:
    return written(answer, [quote(answer, "swans mate for life and never leave their partner.")])


def cut_at_the_end(answer: Answer) -> Answer:
    return written(answer, [quote(answer, MYTH[:40])])


def word_salad(answer: Answer) -> Answer:
    return written(answer, [quote(answer, word) for word in ("swans", "never", "leave", "partner", "after", "young.")])


def two_sentences_in_one_span(answer: Answer) -> Answer:
    return written(answer, [quote(answer, SWANS)])


def other_whole_sentence(answer: Answer) -> Answer:
    index = next(n for n, passage in enumerate(answer.passages) if "swans" not in passage.text)
    return written(answer, [quote(answer, answer.passages[index].text.strip(), index)])


def omitted_sentence(answer: Answer) -> Answer:
    return written(answer, answer.sentences[1:])


def omitted_last_sentence(answer: Answer) -> Answer:
    return written(answer, answer.sentences[:1])


def all_sentences_omitted(answer: Answer) -> Answer:
    return replace(written(answer, []), text="The network does not know.")


def sentences_swapped(answer: Answer) -> Answer:
    return written(answer, answer.sentences[::-1])


def other_statistics(answer: Answer) -> Answer:
    known = derivation(answer)
    df = {term: 0 if term == "for" else 10**6 for term in known.statistics.df}
    return derived(answer, statistics=replace(known.statistics, chunks=10**6, df=df))


def statistics_of_other_terms(answer: Answer) -> Answer:
    return derived(answer, statistics=replace(derivation(answer).statistics, df={"life": 1}))


def derivation(answer: Answer) -> Derivation:
    assert answer.derivation is not None
    return answer.derivation


def derived(answer: Answer, **changes: object) -> Answer:
    return replace(answer, derivation=replace(derivation(answer), **changes))


def surer(answer: Answer) -> Answer:
    assert answer.confidence is not None
    return replace(answer, confidence=replace(answer.confidence, probability=0.999, grade="answered"))


def disagreement_invented(answer: Answer) -> Answer:
    sides = [
        Claim(
            passage=n, node=passage.provenance.node, start=passage.start, end=passage.end, exact=passage.text,
            words="never", reliability=0.5,
        )
        for n, passage in enumerate(answer.passages[:2])
    ]  # fmt: skip
    invented = [Conflict(kind="negation", first=sides[0], second=sides[1])]
    return replace(answer, conflicts=invented, text=numbered(answer.sentences, invented))


JUDGED: list[Attack] = [surer, disagreement_invented]


@pytest.mark.parametrize("attack", JUDGED, ids=lambda attack: attack.__name__)
def test_confidence_and_conflicts_that_the_passages_do_not_give_fail(
    net: Network, answer: Answer, attack: Attack
) -> None:
    """Threat model: author of an answer, a confidence or a disagreement that is made up."""
    for written_by in (answer, replace(answer, writer="some model")):
        report = net.verify(attack(written_by), embed=False)
        assert {check.kind for check in report.failed} & {CheckKind.DERIVED, CheckKind.ANSWER_TEXT}


WRITTEN: list[Attack] = [
    cut_to_say_the_opposite, cut_at_the_end, word_salad, two_sentences_in_one_span, other_whole_sentence,
    omitted_sentence, omitted_last_sentence, all_sentences_omitted, sentences_swapped, statistics_of_other_terms,
]  # fmt: skip


@pytest.mark.parametrize("attack", WRITTEN, ids=lambda attack: attack.__name__)
def test_sentences_that_the_writer_does_not_make_fail(net: Network, answer: Answer, attack: Attack) -> None:
    for report in reports(net, attack(answer)):
        failed = {check.kind for check in report.failed}
        assert CheckKind.DERIVED in failed
        assert failed <= {CheckKind.DERIVED, CheckKind.ORDER, CheckKind.SOURCES, CheckKind.COMPLETE}, "all else holds"


@pytest.mark.parametrize("attack", WRITTEN, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("version", [None, 99])
def test_forged_sentences_without_the_writers_version_are_not_green(
    net: Network, answer: Answer, attack: Attack, version: int | None
) -> None:
    changed = attack(answer)
    changed = replace(changed, derivation=None) if version is None else derived(changed, writer=version)
    report = net.verify(changed, embed=False)
    assert not report.ok
    whole = attack not in (cut_to_say_the_opposite, cut_at_the_end, word_salad, two_sentences_in_one_span)
    outcome = next(check for check in report.checks if check.kind == CheckKind.DERIVED)
    assert outcome.ok is (None if whole else False), outcome


def test_saved_answer_of_an_earlier_version_verifies_as_far_as_before(net: Network, answer: Answer) -> None:
    report = net.verify(replace(answer, derivation=None), embed=False)
    assert report.failed == []
    assert {check.kind for check in report.unchecked} == {
        CheckKind.DERIVED, CheckKind.ORDER, CheckKind.SOURCES, CheckKind.COMPLETE,
    }  # fmt: skip
    assert all("author's word" in check.detail for check in report.unchecked)


# --- order, omissions and "also held by" --------------------------------------------------------------------------


def rewritten(answer: Answer) -> Answer:
    """Return the answer with the sentences that the writer makes of its passages, as an attacker would."""
    statistics = Statistics.of(derivation(answer).statistics)
    return written(answer, extract(answer.question, answer.passages, statistics))


def reversed_ranking(answer: Answer) -> Answer:
    return rewritten(replace(answer, passages=answer.passages[::-1]))


def reversed_ranking_with_scores(answer: Answer) -> Answer:
    scores = [(passage.score, passage.shares) for passage in answer.passages]
    passages = [
        replace(passage, score=score, shares=shares)
        for passage, (score, shares) in zip(answer.passages[::-1], scores, strict=True)
    ]
    return rewritten(replace(answer, passages=passages))


def omitted_passage(answer: Answer) -> Answer:
    return rewritten(replace(answer, passages=answer.passages[1:]))


def omitted_passage_among_the_candidates(answer: Answer) -> Answer:
    first = answer.passages[0]
    assert first.provenance.receipt is not None
    candidates = derivation(answer).candidates or []
    hidden = replace(
        candidates[0], receipt=first.provenance.receipt, document=first.provenance.document, start=first.start,
        end=first.end, text=first.text, vector=first.provenance.vector,
    )  # fmt: skip
    changed = replace(answer, passages=answer.passages[1:])
    return rewritten(derived(changed, candidates=[*candidates, hidden]))


def other_shares(answer: Answer) -> Answer:
    first = answer.passages[0]
    shares = {name: value + 1 for name, value in first.shares.items()}
    return replace(answer, passages=at(answer.passages, 0, replace(first, shares=shares, score=9.0)))


def other_word_score(answer: Answer) -> Answer:
    first = answer.passages[0]
    return replace(answer, passages=at(answer.passages, 0, replace(first, scores={**first.scores, "bm25": 99.0})))


def forged_sources(answer: Answer) -> Answer:
    index = next(n for n, passage in enumerate(answer.passages) if not passage.sources)
    changed = replace(answer.passages[index], sources=[1, 2, 3])
    return replace(answer, passages=at(answer.passages, index, changed))


def dropped_sources(answer: Answer) -> Answer:
    changed = replace(answer.passages[swans(answer)], sources=[])
    return replace(answer, passages=at(answer.passages, swans(answer), changed))


def without_reply(answer: Answer, status: str) -> Answer:
    """Leave out the reply of the node that holds no shown passage."""
    shown = {passage.provenance.receipt for passage in answer.passages}
    gone = next(n for n in range(len(answer.receipts)) if n not in shown)
    node = answer.receipts[gone].signed.receipt.node
    move = [n - (n > gone) for n in range(len(answer.receipts))]
    passages = [
        replace(p, provenance=replace(p.provenance, receipt=move[p.provenance.receipt or 0]), sources=[])
        for p in answer.passages
    ]
    candidates = [replace(c, receipt=move[c.receipt]) for c in derivation(answer).candidates or [] if c.receipt != gone]
    nodes = [replace(n, status=status) if n.node == node else n for n in answer.nodes]
    receipts = [each for n, each in enumerate(answer.receipts) if n != gone]
    published = [each for n, each in enumerate(derivation(answer).published) if n != gone]
    changed = replace(answer, passages=passages, nodes=nodes, receipts=receipts)
    return derived(changed, candidates=candidates, published=published)


def reply_left_out(answer: Answer) -> Answer:
    return without_reply(answer, "skipped")


def reply_left_out_of_a_node_not_asked(answer: Answer) -> Answer:
    changed = reply_left_out(answer)
    return derived(changed, asked=[each.signed.receipt.node for each in changed.receipts])


RANKED: dict[Attack, CheckKind] = {
    reversed_ranking: CheckKind.ORDER,
    reversed_ranking_with_scores: CheckKind.ORDER,
    omitted_passage: CheckKind.COMPLETE,
    omitted_passage_among_the_candidates: CheckKind.ORDER,
    other_shares: CheckKind.ORDER,
    other_word_score: CheckKind.ORDER,
    other_statistics: CheckKind.ORDER,
    forged_sources: CheckKind.SOURCES,
    dropped_sources: CheckKind.SOURCES,
    reply_left_out: CheckKind.COMPLETE,
    reply_left_out_of_a_node_not_asked: CheckKind.COMPLETE,
}


@pytest.mark.parametrize("attack", RANKED, ids=lambda attack: attack.__name__)
def test_ranking_that_the_replies_do_not_give_fails(net: Network, answer: Answer, attack: Attack) -> None:
    for report in reports(net, attack(answer)):
        failed = {check.kind for check in report.failed}
        assert RANKED[attack] in failed
        assert failed <= {CheckKind.DERIVED, CheckKind.ORDER, CheckKind.SOURCES, CheckKind.COMPLETE}, "all else holds"


@pytest.mark.parametrize("attack", RANKED, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("changes", [{"ranking": 99}, {"candidates": None}, {"personal": ["dsi"]}])
def test_ranking_that_cannot_be_derived_is_not_green(
    net: Network, answer: Answer, attack: Attack, changes: dict[str, object]
) -> None:
    report = net.verify(derived(attack(answer), **changes), embed=False)
    assert not report.ok
    assert {CheckKind.ORDER, CheckKind.SOURCES} & {check.kind for check in (*report.failed, *report.unchecked)}


def test_node_said_to_have_timed_out_is_the_authors_word(net: Network, answer: Answer) -> None:
    report = net.verify(without_reply(answer, "timeout"), embed=False)
    (complete,) = [check for check in report.checks if check.kind == CheckKind.COMPLETE]
    assert complete.ok is None
    assert not report.ok


def test_order_by_invented_beliefs_is_the_authors_word(net: Network, answer: Answer) -> None:
    """The belief sinks every passage of the first node, and scores are recomputed with it."""
    worst = NodeBelief(node=answer.passages[0].provenance.node, positive=0.0, negative=50.0, count=50)
    report = net.verify(derived(answer, beliefs=[worst]), embed=False)
    assert CheckKind.ORDER in {check.kind for check in report.failed}


@pytest.mark.parametrize("weight", [-1.0, 1e300])
def test_beliefs_with_impossible_numbers_fail(net: Network, answer: Answer, weight: float) -> None:
    belief = NodeBelief(node=1, positive=weight, negative=weight, count=1)
    report = net.verify(derived(answer, beliefs=[belief]), embed=False)
    assert CheckKind.ORDER in {check.kind for check in report.failed}


# --- private answers ----------------------------------------------------------------------------------------------

UNSIGNED = {CheckKind.QUESTION, CheckKind.COVERED, CheckKind.ORDER, CheckKind.SOURCES, CheckKind.COMPLETE}


def test_private_answer_says_that_no_node_signed_it(net: Network, private: Answer) -> None:
    for report in reports(net, private):
        assert report.failed == []
        assert {check.kind for check in report.unchecked} == UNSIGNED
        assert all("no node signed" in check.detail for check in report.unchecked)


def test_private_answer_with_its_question_replaced_is_not_green(net: Network, private: Answer) -> None:
    """The question, its vector, all scores and all sentences fit each other, as an attacker can make them."""
    question = "Do swans never leave their partner?"
    terms = dict.fromkeys(tokens(question), 1)
    embedder = net._embedders.embedder(private.spaces[0])
    vector = embedder.encode([question], query=True)[0].astype("<f4")
    passages = [
        replace(p, scores={"dense": float(vector @ np.frombuffer(p.provenance.vector, "<f2").astype("<f4"))})
        for p in private.passages
    ]
    requests = [replace(request, question=question, vector=vector.tobytes()) for request in private.requests]
    statistics = replace(derivation(private).statistics, df=terms)
    forged = derived(replace(private, question=question, requests=requests, passages=passages), statistics=statistics)
    for report in [net.verify(rewritten(forged)), *reports(net, rewritten(forged))]:
        assert not report.ok
        assert CheckKind.QUESTION in {check.kind for check in report.unchecked}


def test_signed_answer_declared_private_is_not_green(net: Network, answer: Answer) -> None:
    passages = [replace(p, provenance=replace(p.provenance, receipt=None)) for p in answer.passages]
    report = net.verify(replace(answer, private=True, passages=passages, receipts=[]), embed=False)
    assert not report.ok
