"""Verification of a node's reply before its hits are used."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest

from knet.chain.keys import new_key
from knet.errors import BadReceipt, KnetError, NotIncluded, ScoreInflated, StaleManifest
from knet.index.shard import encode_vector
from knet.records import SearchReply, Tombstone
from knet.search.verify_reply import ReplayGuard, verify_reply

from .support import Owner, embed, question_for, request_for

TEXTS = [
    "Apples grow on trees in autumn.",
    "Pears are picked before they are ripe.",
    "Plums make good jam with sugar.",
    "Cherries are eaten by birds.",
]
QUESTION = "When do apples grow on trees?"


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner(7, TEXTS)


def check(owner: Owner, reply: SearchReply) -> None:
    request = request_for(QUESTION)
    verify_reply(reply, owner.view, question_for(request), embed(QUESTION), ReplayGuard())


def hits_changed(reply: SearchReply, **changes: object) -> SearchReply:
    first = msgspec.structs.replace(reply.hits[0], **changes)
    return msgspec.structs.replace(reply, hits=[first, *reply.hits[1:]])


def test_honest_reply_passes_with_computed_scores(owner: Owner) -> None:
    request = request_for(QUESTION)
    checked, evidence = verify_reply(
        owner.reply(request), owner.view, question_for(request), embed(QUESTION), ReplayGuard()
    )
    assert checked[0].hit.text == TEXTS[0]
    assert checked[0].cosine == pytest.approx(float(embed(QUESTION) @ embed(TEXTS[0])), abs=1e-3)
    assert len(evidence.leaves) == len(checked)


def test_changed_character_is_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION))
    with pytest.raises(NotIncluded, match="not in shard"):
        check(owner, hits_changed(reply, text=reply.hits[0].text.replace("Apples", "Apricot")))


def test_passage_outside_the_manifest_is_refused(owner: Owner) -> None:
    stranger = Owner(7, ["Apples grow underground, says a stranger."])
    reply = owner.reply(request_for(QUESTION))
    planted = stranger.reply(request_for(QUESTION))
    with pytest.raises(NotIncluded):
        check(owner, msgspec.structs.replace(reply, documents=planted.documents, hits=planted.hits))


def test_inflated_score_is_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION))
    with pytest.raises(ScoreInflated, match=r"claimed a similarity of 0\.99"):
        check(owner, hits_changed(reply, scores={"dense": 0.99, "bm25": 0.0}))


def test_nan_score_is_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION))
    with pytest.raises(ScoreInflated):
        check(owner, hits_changed(reply, scores={"dense": float("nan")}))


def test_vector_longer_than_one_is_refused() -> None:
    owner = Owner(7, TEXTS)
    shard = owner.collection.shards[0]
    shard.vectors = (shard.vectors.astype(np.float32) * 3).astype(np.float16)
    reply = owner.reply(request_for(QUESTION))
    with pytest.raises(KnetError):
        check(owner, reply)
    long_vector = encode_vector(embed(QUESTION) * 3)
    with pytest.raises(KnetError):
        check(owner, hits_changed(owner.reply(request_for(QUESTION)), vector=long_vector))


def test_manifest_other_than_the_head_is_refused(owner: Owner) -> None:
    old = Owner(7, TEXTS[:2])
    old.key = owner.key
    with pytest.raises(StaleManifest):
        check(owner, old.reply(request_for(QUESTION)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"node": 8}, "node 8"),
        ({"query": b"q" * 32}, "another question"),
        ({"client": b"x" * 20}, "another client"),
        ({"manifest": b"m" * 32}, "another manifest"),
        ({"issued_at": int(time.time()) - 3600}, "s off"),
        ({"issued_at": int(time.time()) + 3600}, "s off"),
        ({"results": b"r" * 32}, "other passages"),
    ],
)
def test_receipt_for_another_query_is_refused(owner: Owner, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(BadReceipt, match=reason):
        check(owner, owner.reply(request_for(QUESTION), **changes))


def test_receipt_with_a_foreign_signature_is_refused(owner: Owner) -> None:
    with pytest.raises(BadReceipt, match="signed by"):
        check(owner, owner.reply(request_for(QUESTION), key=new_key()))


def test_repeated_receipt_is_refused(owner: Owner) -> None:
    request, nonces = request_for(QUESTION), ReplayGuard()
    reply = owner.reply(request)
    verify_reply(reply, owner.view, question_for(request), embed(QUESTION), nonces)
    with pytest.raises(BadReceipt, match="replayed"):
        verify_reply(reply, owner.view, question_for(request), embed(QUESTION), nonces)


def test_removed_passage_is_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION))
    gone = msgspec.structs.replace(owner.view.manifest.shards[0], removed=[Tombstone(start=0, stop=4)])
    manifest = msgspec.structs.replace(owner.view.manifest, shards=[gone])
    view = type(owner.view)(owner.view.entry, manifest, owner.view.card, owner.view.space)
    request = request_for(QUESTION)
    with pytest.raises(NotIncluded, match="removed"):
        verify_reply(reply, view, question_for(request), embed(QUESTION), ReplayGuard())


@pytest.mark.parametrize("field", ["shard", "document", "chunk"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_indices_out_of_range_are_refused(owner: Owner, field: str, value: int) -> None:
    with pytest.raises(NotIncluded):
        check(owner, hits_changed(owner.reply(request_for(QUESTION)), **{field: value}))


def test_more_hits_than_requested_are_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION, k=4))
    request = request_for(QUESTION, k=1)
    with pytest.raises(KnetError):
        verify_reply(reply, owner.view, question_for(request), embed(QUESTION), ReplayGuard())


def test_repeated_passage_is_refused(owner: Owner) -> None:
    reply = owner.reply(request_for(QUESTION))
    with pytest.raises(NotIncluded, match="twice"):
        check(owner, msgspec.structs.replace(reply, hits=[reply.hits[0], reply.hits[0]]))
