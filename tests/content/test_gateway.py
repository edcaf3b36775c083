"""Tests of the trustless gateway of a node with knet's client, over real HTTP."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from threading import Event

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.car import read_car
from knet.content.dag import fetch_dag, walk
from knet.content.gateway import GatewaySource
from knet.content.layered import LayeredStore
from knet.content.store import MemoryStore
from knet.errors import BadReply, BlockNotFound, BlockTampered, CodecError, Unreachable
from knet.http import HttpClient
from knet.records import Manifest
from knet_indexer.server.gateway import gateway_router
from knet_indexer.server.problems import add_problem_handlers

from .support import gateway, publish

RAW = "application/vnd.ipld.raw"
CAR = "application/vnd.ipld.car"
ABSENT = Cid.of(b"not here")
DEAD = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def root(store: MemoryStore) -> Cid:
    return publish(store)


@pytest.fixture
def url(store: MemoryStore) -> Iterator[str]:
    with gateway(store) as url:
        yield url


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient("loopback") as client:
        yield client


def ask(url: str, accept: str = "", method: str = "GET", **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, headers={"Accept": accept, **headers}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


# --- what a node answers -------------------------------------------------------------------------------------------


def test_raw_block_has_the_specified_headers(store: MemoryStore, root: Cid, url: str) -> None:
    status, headers, body = ask(f"{url}/ipfs/{root}?format=raw")
    assert (status, body) == (200, store.get(root))
    assert headers["Content-Type"] == RAW
    assert headers["Content-Length"] == str(len(body))
    assert headers["ETag"] == f'"{root}.raw"'
    assert headers["Content-Disposition"] == f'attachment; filename="{root}.bin"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Ipfs-Roots"] == str(root)
    assert "immutable" in headers["Cache-Control"]


def test_car_reply_holds_everything_under_the_root(store: MemoryStore, root: Cid, url: str) -> None:
    status, headers, body = ask(f"{url}/ipfs/{root}?format=car")
    roots, blocks = read_car(io.BytesIO(body))
    assert status == 200
    assert headers["Content-Type"].startswith(f"{CAR}; version=1")
    assert headers["Content-Disposition"].endswith('.car"')
    assert roots == [root]
    assert list(blocks) == list(walk(store, root))


@pytest.mark.parametrize("scope", ["block", "entity"])
def test_car_reply_with_block_scope_holds_one_block(store: MemoryStore, root: Cid, url: str, scope: str) -> None:
    _, _, body = ask(f"{url}/ipfs/{root}?format=car&dag-scope={scope}")
    assert list(read_car(io.BytesIO(body))[1]) == [(root, store.get(root))]


@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        (RAW, "", RAW),
        (f"{CAR};version=1", "", CAR),
        (f"{CAR}; version=1; order=dfs; dups=y", "", CAR),
        (f"{RAW};q=0.5, {CAR}", "", CAR),
        (f"text/html, {RAW};q=0.9", "", RAW),
        (CAR, "?format=raw", RAW),
        ("text/html", "?format=car&car-version=1", CAR),
    ],
)
def test_gateway_negotiates_format(root: Cid, url: str, accept: str, query: str, expected: str) -> None:
    status, headers, _ = ask(f"{url}/ipfs/{root}{query}", accept)
    assert (status, headers["Content-Type"].split(";")[0]) == (200, expected)


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("{root}", "", 406),
        ("{root}", "*/*", 406),
        ("{root}", "text/html", 406),
        ("{root}", f"{CAR};version=2", 406),
        ("{root}", f"{RAW};q=0", 406),
        ("{root}", f"{RAW};q=high", 406),
        ("{root}?format=tar", RAW, 406),
        ("{root}?format=car&car-version=2", "", 406),
        ("{root}?format=car&dag-scope=some", "", 400),
        ("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPpm4?format=raw", "", 400),
        ("..%2F..%2Fetc%2Fpasswd?format=raw", "", 404),
        ("x?format=raw", "", 400),
        (f"{ABSENT}?format=raw", "", 404),
        (f"{ABSENT}?format=car", "", 404),
    ],
)
def test_invalid_request_is_answered_with_a_problem(root: Cid, url: str, path: str, accept: str, status: int) -> None:
    found, headers, body = ask(f"{url}/ipfs/{path.format(root=root)}", accept)
    assert found == status
    assert headers["Content-Type"] == "application/problem+json"
    assert b'"detail"' in body


@pytest.mark.parametrize("kind", ["raw", "car"])
def test_head_and_conditional_replies_have_no_body(root: Cid, url: str, kind: str) -> None:
    address = f"{url}/ipfs/{root}?format={kind}"
    status, headers, body = ask(address, method="HEAD")
    assert (status, body) == (200, b"")
    status, again, body = ask(address, **{"If-None-Match": f'"other", {headers["ETag"]}'})
    assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])


def test_hidden_block_looks_absent(store: MemoryStore, root: Cid) -> None:
    app = FastAPI()
    add_problem_handlers(app)
    shard = get_record(store, root, Manifest).shards[0].shard
    app.include_router(gateway_router(store, lambda cid: cid != shard))
    with TestClient(app, raise_server_exceptions=False) as test:
        hidden = test.get(f"/ipfs/{shard}?format=raw")
        absent = test.get(f"/ipfs/{ABSENT}?format=raw")
        assert (hidden.status_code, hidden.json()["title"]) == (absent.status_code, absent.json()["title"])
        assert test.get(f"/ipfs/{root}?format=raw").status_code == 200
        assert test.get("/openapi.json").status_code == 200


def test_aborted_car_reply_is_refused(store: MemoryStore, root: Cid, url: str, client: HttpClient) -> None:
    store.delete(get_record(store, root, Manifest).shards[1].shard)
    with pytest.raises((BadReply, Unreachable)):
        client.get(f"{url}/ipfs/{root}?format=car", deadline=30, max_bytes=1 << 20)


# --- what knet makes of a gateway ----------------------------------------------------------------------------------


def test_collection_is_fetched_through_gateway(store: MemoryStore, root: Cid, url: str, client: HttpClient) -> None:
    mine = MemoryStore()
    fetch_dag(GatewaySource(client, [DEAD, f"{url}/"]), root, mine)
    assert dict(walk(mine, root)) == dict(walk(store, root))


def test_fetched_block_is_stored_locally(store: MemoryStore, root: Cid, url: str, client: HttpClient) -> None:
    mine = LayeredStore(MemoryStore(), GatewaySource(client, [url]))
    assert not mine.has(root)
    assert mine.get(root) == store.get(root)
    assert mine.has(root)
    store.delete(root)
    assert mine.get(root)


def test_lying_gateway_is_skipped_and_named_if_all_fail(
    store: MemoryStore, root: Cid, url: str, client: HttpClient
) -> None:
    liar = FastAPI()
    liar.get("/ipfs/{cid}")(lambda cid: Response(b"anything", media_type=RAW))
    with gateway(store, liar) as lies:
        assert GatewaySource(client, [lies, url]).get(root) == store.get(root)
        with pytest.raises(BlockTampered):
            GatewaySource(client, [DEAD, lies]).get(root)
        mine = MemoryStore()
        with pytest.raises(BlockTampered):
            LayeredStore(mine, GatewaySource(client, [lies])).get(root)
        assert list(mine) == []


def test_parallel_fetch_returns_at_the_first_block(store: MemoryStore, root: Cid, url: str, client: HttpClient) -> None:
    asked = Event()

    class Silent(MemoryStore):
        def get(self, cid: Cid) -> bytes:
            asked.wait(60)
            return super().get(cid)

    with gateway(Silent()) as silent:
        source = GatewaySource(client, [silent, silent, DEAD, url], deadline=60, at_once=4)
        assert source.get(root) == store.get(root)
        asked.set()
    with pytest.raises(BlockNotFound):
        GatewaySource(client, [url, url], at_once=4).get(ABSENT)


def test_block_is_not_found_when_every_gateway_lacks_it(url: str, client: HttpClient) -> None:
    with pytest.raises(BlockNotFound, match=str(ABSENT)):
        GatewaySource(client, [url, url]).get(ABSENT)
    with pytest.raises(Unreachable):
        GatewaySource(client, [DEAD, url]).get(ABSENT)
    with pytest.raises(BlockNotFound, match="no source"):
        GatewaySource(client, []).get(ABSENT)


def test_gateway_reply_in_another_format_is_refused(store: MemoryStore, root: Cid, url: str) -> None:
    _, _, body = ask(f"{url}/ipfs/{root}?format=raw")
    with pytest.raises(CodecError):
        read_car(io.BytesIO(body))
