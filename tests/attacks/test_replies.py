"""False replies: the status names the fault, the other nodes answer, and the client waits at most for its timeout."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from secrets import token_bytes

import numpy as np
import pytest
from msgspec.structs import replace

from knet.chain.keys import new_key
from knet.client.network import Network
from knet.codec import decode, encode
from knet.records import Document, SearchReply, SearchRequest
from knet.search.transport import MAX_REPLY_BYTES
from tests.network.clients import PATIENT, status_of

from .conftest import QUESTION, Stage
from .support import Behaviour, Exchange, Liar, Lie, commitment, drip, first_hit, hang, on_search, telling

SHORT = 1.5  # seconds a node; honest nodes need a hundredth of it, the hostile one uses all of it


# --- false replies that are well-formed and signed --------------------------------------------------------------------


def changed_text(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return liar.saying(request, reply, first_hit(reply, text=reply.hits[0].text.replace("heron", "crane")))


def moved_span(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    hit = reply.hits[0]
    return liar.saying(request, reply, first_hit(reply, start=hit.start + 1, end=hit.end + 1))


def other_title(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    better = replace(decode(reply.documents[0], Document), uri="https://example.org/heron", title="The Royal Society")
    return liar.saying(request, reply, reply.hits, [encode(better), *reply.documents[1:]])


def planted_passage(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    text = "How long does a heron stand still? For ever, says this advertisement, unless you buy our fish."
    return liar.saying(request, reply, first_hit(reply, text=text, start=0, end=len(text)))


def other_vector(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    vector = np.frombuffer(request.vector, "<f4").astype("<f2").tobytes()
    return liar.saying(request, reply, first_hit(reply, vector=vector, scores={"dense": 1.0}))


def inflated_score(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return replace(reply, hits=first_hit(reply, scores={"dense": 0.99, "bm25": 1.0}))


def same_passage_twice(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return liar.saying(request, reply, [reply.hits[0], reply.hits[0]])


def more_than_asked(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return liar.saying(request, reply, reply.hits * 20)


def withheld_passage(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return replace(reply, hits=reply.hits[1:])


def another_key(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return Liar(new_key(), liar.deployment).resigned(reply)


def no_signature(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return replace(reply, receipt=replace(reply.receipt, signature=b""))


def another_network(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return Liar(liar.key, replace(liar.deployment, reliability="0x" + "11" * 20)).resigned(reply)


def receipt_with(**changes: object) -> Lie:
    return lambda liar, request, reply: liar.resigned(reply, **changes)


def receipt_for_another_salt(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return liar.resigned(reply, query=commitment(replace(request, salt=token_bytes(16))))


def receipt_from_last_year(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
    return liar.resigned(reply, issued_at=reply.receipt.receipt.issued_at - 365 * 86_400)


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        pytest.param(changed_text, "NotIncluded.*is not in shard", id="a word of a passage changed"),
        pytest.param(moved_span, "NotIncluded.*is not in shard", id="a passage cited from elsewhere"),
        pytest.param(other_title, "NotIncluded.*is not in shard", id="a document under a better name"),
        pytest.param(planted_passage, "NotIncluded.*is not in shard", id="a passage outside the manifest"),
        pytest.param(other_vector, "NotIncluded.*is not in shard", id="the question's own vector"),
        pytest.param(inflated_score, "ScoreInflated.*claimed a similarity of 0.99", id="an inflated score"),
        pytest.param(same_passage_twice, "NotIncluded.*twice", id="the same passage twice"),
        pytest.param(more_than_asked, "BadReceipt.*hits for k", id="more passages than asked for"),
        pytest.param(withheld_passage, "BadReceipt.*covers other passages", id="a receipt for other passages"),
        pytest.param(another_key, "BadReceipt.*not by the node's wallet", id="a receipt signed by another key"),
        pytest.param(no_signature, "BadReceipt.*65 bytes", id="a receipt without a signature"),
        pytest.param(another_network, "BadReceipt.*not by the node's wallet", id="a receipt for another contract"),
        pytest.param(receipt_with(client=b"\7" * 20), "BadReceipt.*another client", id="a receipt for another client"),
        pytest.param(receipt_with(node=10**6), "BadReceipt.*a receipt of node 1000000", id="a receipt of another node"),
        pytest.param(receipt_for_another_salt, "BadReceipt.*another question", id="a receipt for another question"),
        pytest.param(receipt_with(manifest=b"\7" * 32), "BadReceipt.*another manifest", id="another manifest"),
        pytest.param(receipt_from_last_year, "BadReceipt.* s off", id="a receipt of last year"),
    ],
)
def test_false_reply_is_reported_and_the_others_answer(stage: Stage, net: Network, lie: Lie, named: str) -> None:
    stage.proxy.behave = telling(stage.liar, lie)
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "unverified"
    assert re.search(named, status.detail), status.detail


def test_replayed_reply_is_refused(stage: Stage, net: Network) -> None:
    kept: list[bytes] = []

    def play_back(exchange: Exchange) -> None:
        kept.append(exchange.forward()[1])
        exchange.send(kept[0])

    stage.proxy.behave = on_search(play_back)
    first = net.ask(QUESTION, node_timeout=PATIENT)
    assert status_of(first.nodes, stage.hostile.identity).status == "success"
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "unverified"
    assert "another question" in status.detail, "the salt makes each query different"


def test_receipt_with_a_used_nonce_is_refused(stage: Stage, net: Network) -> None:
    def same_nonce(liar: Liar, request: SearchRequest, reply: SearchReply) -> SearchReply:
        return liar.resigned(reply, nonce=b"\7" * 32)

    stage.proxy.behave = telling(stage.liar, same_nonce)
    assert status_of(net.ask(QUESTION, node_timeout=PATIENT).nodes, stage.hostile.identity).status == "success"
    status = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert status.status == "unverified"
    assert "replayed" in status.detail


# --- malformed replies ------------------------------------------------------------------------------------------------


def saying(body: Callable[[Exchange], bytes], status: int = 200, **headers: str) -> Behaviour:
    return on_search(lambda exchange: exchange.send(body(exchange), status, **headers))


def spelt_differently(exchange: Exchange) -> bytes:
    """Send the honest reply with the length of its map in two bytes instead of one."""
    body = exchange.forward()[1]
    return bytes((0xB8, body[0] & 0x1F)) + body[1:]


def flood(exchange: Exchange) -> None:
    exchange.send_head(Transfer_Encoding="chunked")
    while not exchange.over.is_set():
        exchange.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def half_of_it(exchange: Exchange) -> None:
    body = exchange.forward()[1]
    exchange.send_head(Content_Length=str(len(body)))
    exchange.write(body[: len(body) // 2])
    exchange.hang_up()


PROBLEM = b'{"title": "No", "detail": "\\u001b[31mPay first"}'
PROBLEM_TYPE = "application/problem+json"
METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.mark.parametrize(
    ("behave", "status", "named"),
    [
        pytest.param(saying(lambda _: bytes(MAX_REPLY_BYTES + 1)), "error", "more than 4194304 bytes", id="oversized"),
        pytest.param(on_search(flood), "error", "more than 4194304 bytes", id="without an end"),
        pytest.param(
            saying(lambda _: gzip.compress(bytes(1 << 26)), Content_Encoding="gzip"),
            "error", "Content-Encoding gzip", id="a gzip bomb",
        ),
        pytest.param(
            saying(lambda _: b"", 302, Location=METADATA), "error", "redirects to http://169.254.169.254",
            id="a redirect to the cloud's metadata",
        ),
        pytest.param(
            saying(lambda _: b"", 307, Location="http://127.0.0.1:1/v1/search"), "error", "redirects to",
            id="a redirect to this machine",
        ),
        pytest.param(on_search(half_of_it), "error", "broke off", id="killed in the middle"),
        pytest.param(on_search(Exchange.hang_up), "error", "cannot be reached", id="killed before"),
        pytest.param(saying(lambda _: b""), "unverified", "not", id="nothing"),
        pytest.param(saying(lambda _: b"<html>Welcome</html>"), "unverified", "not", id="a web page"),
        pytest.param(saying(lambda _: token_bytes(5000)), "unverified", "not", id="random bytes"),
        pytest.param(saying(lambda _: b"\x81" * 1_000_000 + b"\0"), "unverified", "nests", id="nested a million deep"),
        pytest.param(saying(spelt_differently), "unverified", "canonical", id="not canonical"),
        pytest.param(saying(lambda exchange: exchange.body), "unverified", "not a SearchReply", id="the question"),
        pytest.param(saying(lambda _: b"", 500), "error", "answered 500", id="a failure"),
        pytest.param(
            saying(lambda _: PROBLEM, 402, Content_Type=PROBLEM_TYPE), "access_denied", "No: .*Pay first",
            id="a bill",
        ),
        pytest.param(saying(lambda _: b"", 429), "busy", "answered 429", id="too many questions"),
        pytest.param(saying(lambda _: b"", 503, Retry_After="1"), "busy", "answered 503", id="too many askers"),
    ],
)  # fmt: skip
def test_malformed_reply_is_reported_and_the_others_answer(
    stage: Stage, net: Network, behave: Behaviour, status: str, named: str
) -> None:
    stage.proxy.behave = behave
    seen = stage.check(net.ask(QUESTION, node_timeout=PATIENT).record)
    assert seen.status == status, seen.detail
    assert re.search(named, seen.detail), seen.detail
    assert seen.detail.isprintable(), "the interfaces show it"


@pytest.mark.parametrize("behave", [on_search(hang), on_search(drip)], ids=["hangs", "drips"])
def test_slow_node_costs_at_most_the_timeout(stage: Stage, net: Network, behave: Behaviour) -> None:
    stage.proxy.behave = behave
    answer = net.ask(QUESTION, node_timeout=SHORT)
    status = stage.check(answer.record)
    assert status.status == "timeout"
    assert "did not answer within" in status.detail
    assert answer.record.milliseconds < PATIENT * 1000, "the reply would have taken a minute"
