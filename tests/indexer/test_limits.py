"""A fair share: what one client may ask, and what no number of clients can do to the node's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from knet.codec import encode
from knet.config import Profile
from knet_indexer.limits import TokenBuckets, client_of
from tests.network.support import RunningNode, start_nodes

from .test_service import TEXTS, assert_problem, post, request


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_served_and_then_the_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2.0, 3, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0, "another client has a bucket of its own"
    clock.now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") == 0.5, "being refused costs nothing"
    clock.now += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5], "nobody saves up more than a burst"


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5)), max_size=200), st.floats(0.1, 50), st.floats(1, 20))
def test_nobody_gets_more_than_burst_and_rate(asked: list[tuple[int, float]], rate: float, burst: float) -> None:
    clock = Clock()
    buckets = TokenBuckets(rate, burst, clock=clock)
    served = dict.fromkeys(range(4), 0)
    for client, pause in asked:
        clock.now += pause
        served[client] += not buckets.take(str(client))
    allowed = burst + rate * (clock.now - Clock.now)
    assert all(count <= allowed + 1e-6 for count in served.values())


def test_memory_is_bounded_and_the_busiest_are_remembered() -> None:
    clock = Clock()
    buckets = TokenBuckets(1.0, 1, clients=50, clock=clock)
    for number in range(10_000):
        buckets.take(f"flood {number}")
        assert (buckets.take("busy") > 0) == (number > 0), "who keeps asking is not washed out by a flood of others"
    assert len(buckets) == 50


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2%eth0", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_its_address(host: str, client: str) -> None:
    assert client_of(host) == client


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, devnet: Profile) -> Iterator[RunningNode]:
    """A node that answers one search in a thousand seconds for each client."""
    folder: Path = tmp_path_factory.mktemp("limits")
    with start_nodes(folder, devnet, [TEXTS], rate=0.001) as (started,):
        yield started


def test_one_client_is_told_when_to_ask_again_and_others_are_served(node: RunningNode) -> None:
    """Clients behind a proxy on the node's machine are told apart by the address that the proxy names."""
    with httpx.Client(base_url=node.endpoint, timeout=30) as http:
        body = encode(request())
        assert post(http, body, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 200
        refused = post(http, body, **{"X-Forwarded-For": "198.51.100.1"})
        assert_problem(refused, 429, "0.001 searches a second")
        assert 900 < int(refused.headers["retry-after"]) <= 1000
        assert post(http, body, **{"X-Forwarded-For": "198.51.100.2"}).status_code == 200
        assert [post(http, body).status_code for _ in range(20)] == [200] * 20, "this machine's own programs"
        counted = {
            sample.labels["outcome"]: sample.value
            for family in text_string_to_metric_families(http.get("/metrics").text)
            for sample in family.samples
            if sample.name == "knet_node_searches_total"
        }
    assert counted == {"ok": 22.0, "limited": 1.0}
