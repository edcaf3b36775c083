"""Reliability over time: the contract's rule, one point for each batch, and charts that escape foreign text."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.content.store import MemoryStore
from knet.records import Reputation
from knet.trust.history import History, on_chain, points_of
from knet.trust.history_html import page, sparkline
from tests.chain.support import rating, submit


@pytest.mark.chain
def test_last_point_equals_the_contract_score(chain: EvmChain, new_account: Callable[[], Signer]) -> None:
    owner, first, second = new_account(), new_account(), new_account()
    node = chain.identity.register(owner, "http://127.0.0.1:1")
    for rater in (first, second):
        submit(chain, rater, [rating(owner, node, rater, chain.deployment)], MemoryStore())
    own = [each for each in chain.reliability.batches() if each.rater in (first.address, second.address)]
    points = on_chain(own)[node]
    found = chain.reliability.scores([node])[node]
    assert points[-1].mean == pytest.approx(found.mean, abs=1e-6)
    assert points[-1].deviation == pytest.approx(found.deviation, abs=1e-6)
    assert [point.rater for point in points] == [first.address, second.address]
    assert [point.transaction for point in points] == [each.transaction for each in own]
    assert chain.reliability.removed().isdisjoint({(each.rater, each.number) for each in own})


def test_history_keeps_the_last_point_of_each_second() -> None:
    known = [(5, Reputation(positive=1)), (5, Reputation(positive=2)), (6, Reputation(positive=3))]
    assert [(point.time, point.mean) for point in points_of(known)] == [(5, 0.75), (6, 0.8)]


def test_history_page_is_well_formed_and_escapes_titles() -> None:
    points = points_of([(1_000, Reputation(positive=1)), (90_000, Reputation(negative=4))])
    evil = '<script>alert(1)</script>"&'
    drawn = page(evil, [History(node=7, title=evil, reliability=points, usefulness=points)], now=100_000)
    assert "<script" not in drawn
    body = drawn.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', "")
    tree = ElementTree.fromstring(body)
    links = [each.get("href", "") for each in tree.iter("a")]
    rows = {each.get("id") for each in tree.iter("tr")}
    assert len(links) == 2
    assert all(link[1:] in rows for link in links), "every point links to its batch"
    assert not {"src", "onload", "onclick"} & {name for each in tree.iter() for name in each.attrib}


def test_sparkline_follows_the_mean() -> None:
    points = points_of([(n, Reputation(positive=10 - n, negative=n)) for n in range(10)])
    line = sparkline(points)
    assert len(line) == 10
    assert list(line) == sorted(line, reverse=True)
    assert line[0] != line[-1]
