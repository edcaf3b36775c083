"""Rate and bandwidth limits of one client, and the bounded memory of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from knet.codec import encode
from knet.config import Profile
from knet_indexer.server import bandwidth
from knet_indexer.server.bandwidth import BURST_SECONDS, MAX_WAIT, MEBIBYTE, REQUEST_BYTES, BandwidthLimiter
from knet_indexer.server.rate_limit import TokenBuckets, client_key
from tests.network.support import RunningNode, start_nodes

from .test_app import TEXTS, assert_problem, post, request


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_burst_is_served_and_then_the_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2.0, 3, clock=clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0, "another client has a bucket of its own"
    clock.now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") == 0.5, "a refusal takes no token"
    clock.now += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5], "tokens are capped at the burst"


def test_borrowed_tokens_are_owed_as_waiting_time() -> None:
    clock = Clock()
    buckets = TokenBuckets(2.0, 3, clock=clock)
    assert [buckets.borrow("a", 3), buckets.borrow("a", 4), buckets.borrow("a", 1)] == [0, 2, 2.5]
    assert buckets.take("a") == 3
    clock.now += 2.5
    assert buckets.borrow("a", 0) == 0
    assert buckets.borrow("b", 1) == 0, "another client owes nothing"


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5)), max_size=200), st.floats(0.1, 50), st.floats(1, 20))
def test_client_gets_at_most_burst_and_rate(requests: list[tuple[int, float]], rate: float, burst: float) -> None:
    clock = Clock()
    buckets = TokenBuckets(rate, burst, clock=clock)
    served = dict.fromkeys(range(4), 0)
    for client, pause in requests:
        clock.now += pause
        served[client] += not buckets.take(str(client))
    allowed = burst + rate * (clock.now - Clock.now)
    assert all(count <= allowed + 1e-6 for count in served.values())


def test_bucket_memory_is_bounded_and_keeps_busy_clients() -> None:
    clock = Clock()
    buckets = TokenBuckets(1.0, 1, clients=50, clock=clock)
    for number in range(10_000):
        buckets.take(f"flood {number}")
        assert (buckets.take("busy") > 0) == (number > 0), "a busy client is not evicted by a flood of others"
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
def test_client_key_is_the_address(host: str, client: str) -> None:
    assert client_key(host) == client


class SleepRecorder:
    """A stand-in for asyncio that records sleeps and advances the clock by them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.now += seconds


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> SleepRecorder:
    """The time of `knet_indexer.server.bandwidth`, which passes only by sleeping."""
    clock = Clock()
    recorder = SleepRecorder(clock)
    monkeypatch.setattr(bandwidth, "asyncio", recorder)
    monkeypatch.setattr(bandwidth, "TokenBuckets", partial(TokenBuckets, clock=clock))
    return recorder


async def fetch(app: BandwidthLimiter, path: str, client: str = "192.0.2.7") -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(client, 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        return await http.get(path)


def sending(pieces: int) -> FastAPI:
    """Return an application that sends this number of mebibytes, one at a time."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def route() -> StreamingResponse:
        return StreamingResponse(bytes(MEBIBYTE) for _ in range(pieces))

    return app


async def test_download_is_paced_at_the_clients_rate(recorder: SleepRecorder) -> None:
    app = BandwidthLimiter(sending(100), mebibytes=2, paths=("/ipfs/",))
    reply = await fetch(app, "/ipfs/collection")
    assert len(reply.content) == 100 * MEBIBYTE
    assert sum(recorder.slept) == pytest.approx((100 + REQUEST_BYTES / MEBIBYTE) / 2 - BURST_SECONDS)
    assert max(recorder.slept) == pytest.approx(0.5), "one mebibyte at a time"
    before = len(recorder.slept)
    await fetch(app, "/ipfs/collection", client="127.0.0.1")
    await fetch(app, "/healthz")
    assert len(recorder.slept) == before, "this machine and other routes have no limit"
    await fetch(app, "/ipfs/small", client="192.0.2.8")
    assert recorder.slept[before : before + BURST_SECONDS] == [0] * BURST_SECONDS, "another client has its own share"


async def test_client_with_too_many_downloads_is_refused(recorder: SleepRecorder) -> None:
    app = BandwidthLimiter(sending(1), mebibytes=1, paths=("/ipfs/",))
    recorder.clock.now = 0

    async def no_time_passes(seconds: float) -> None:
        recorder.slept.append(seconds)

    recorder.sleep = no_time_passes  # type: ignore[method-assign]
    replies = [await fetch(app, "/ipfs/block") for _ in range(40)]
    assert [reply.status_code for reply in replies] == sorted(reply.status_code for reply in replies)
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) == 40 - BURST_SECONDS - MAX_WAIT
    assert int(refused[0].headers["retry-after"]) == MAX_WAIT + 1
    assert_problem(refused[0], 429, "1 MiB a second")
    recorder.clock.now += MAX_WAIT + 1
    assert (await fetch(app, "/ipfs/block")).status_code == 200


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, devnet: Profile) -> Iterator[RunningNode]:
    """A node that answers one search in a thousand seconds for each client, with nearly no bandwidth."""
    folder: Path = tmp_path_factory.mktemp("limits")
    with start_nodes(folder, devnet, [TEXTS], rate=0.001, bandwidth=0.0001) as (started,):
        yield started


def test_client_over_its_rate_is_refused_and_others_are_served(node: RunningNode) -> None:
    """Clients behind a proxy on the node's machine are distinguished by the forwarded address."""
    with httpx.Client(base_url=node.endpoint, timeout=30) as http:
        body = encode(request())
        assert post(http, body, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 200
        refused = post(http, body, **{"X-Forwarded-For": "198.51.100.1"})
        assert_problem(refused, 429, "0.001 searches a second")
        assert 900 < int(refused.headers["retry-after"]) <= 1000
        assert post(http, body, **{"X-Forwarded-For": "198.51.100.2"}).status_code == 200
        assert [post(http, body).status_code for _ in range(20)] == [200] * 20, "programs on this machine have no limit"
        counted = {
            sample.labels["outcome"]: sample.value
            for family in text_string_to_metric_families(http.get("/metrics").text)
            for sample in family.samples
            if sample.name == "knet_node_searches_total"
        }
    assert counted == {"ok": 22.0, "limited": 1.0}


@pytest.mark.parametrize("path", ["/v1/card", "/v1/manifest", "/v1/changes", "/ipfs/bafkqaaa?format=raw"])
def test_downloads_are_limited(node: RunningNode, path: str) -> None:
    headers = {"X-Forwarded-For": f"198.51.100.{len(path)}"}
    refused: httpx.Response | None = None
    with httpx.Client(base_url=node.endpoint, timeout=30) as http:
        while refused is None:
            with suppress(httpx.ReadTimeout):  # the answer would take a minute
                refused = http.get("/v1/card", headers=headers, timeout=0.5)
        assert_problem(refused, 429, "0.0001 MiB a second")
        assert http.get(path, headers=headers).status_code == 429
        assert http.get("/healthz", headers=headers).status_code == 200
        assert http.get(path).status_code != 429, "programs on this machine have no limit"
