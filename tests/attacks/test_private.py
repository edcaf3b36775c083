"""Attacks on private questions, where a node can only tamper with its blocks."""

from __future__ import annotations

import re

import pytest

from knet.client.network import Network
from knet.routing.large import large_directory
from knet.search import session as gather
from tests.network.clients import PATIENT

from .conftest import QUESTION, Stage
from .support import Behaviour, Exchange, drip, hang, honest

SHORT = 1.5  # seconds; the honest nodes need a tenth of it for their few blocks


def turns_a_bit(exchange: Exchange) -> None:
    status, body = exchange.forward()
    exchange.send(body[:-1] + bytes((body[-1] ^ 1,)), status)


def has_nothing(exchange: Exchange) -> None:
    exchange.send(b"", 404)


def has_too_much(exchange: Exchange) -> None:
    exchange.send(bytes((1 << 20) + 1))


@pytest.mark.parametrize(
    ("behave", "named"),
    [
        pytest.param(turns_a_bit, "does not match its CID", id="turns a bit"),
        pytest.param(has_nothing, "does not have block", id="has nothing"),
        pytest.param(has_too_much, "more than 1048576 bytes", id="has too much"),
        pytest.param(Exchange.hang_up, "cannot be reached", id="hangs up"),
    ],
)
def test_tampering_gateway_is_reported_and_the_others_are_searched(
    stage: Stage, net: Network, behave: Behaviour, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_directory, "RETRY_SECONDS", 0.0)
    stage.proxy.behave = behave
    status = stage.check(net.ask(QUESTION, private=True).record)
    assert status.status == "error"
    assert re.search(named, status.detail), status.detail
    stage.proxy.behave = honest
    again = net.ask(QUESTION, private=True)
    assert {node.status for node in again.nodes} == {"success"}, "a failed fetch is tried again"
    assert not again.verify().failed


@pytest.mark.parametrize("behave", [hang, drip])
def test_slow_gateway_is_not_waited_for(
    stage: Stage, net: Network, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "FETCH_SECONDS", SHORT)
    stage.proxy.behave = behave
    answer = net.ask(QUESTION, private=True).record
    status = stage.check(answer)
    assert status.status in ("timeout", "error")  # in a large network its manifest is what does not arrive
    assert re.search(r"did not arrive within [\d.]+ s", status.detail)
    assert answer.milliseconds < PATIENT * 1000


def test_collection_above_the_limit_is_not_fetched(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MAX_FETCHED_SHARDS", 0)
    answer = net.ask(QUESTION, private=True).record
    assert not answer.found
    assert {"0" if "more than private search fetches" in node.detail else node.detail for node in answer.nodes} == {"0"}
