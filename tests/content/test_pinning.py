"""Tests of the client of pinning services, by their specification."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from knet.codec import Cid
from knet.content.bundle import bundle_blocks, put_bundle
from knet.content.dag import walk
from knet.content.pinning import PinningService, gateway_multiaddr
from knet.content.store import MemoryStore
from knet.errors import BadReply, ConfigError, StoreError, Unreachable
from knet.http import HttpClient

from .keepers import Account, kept_with
from .support import gateway, publish


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(addresses="loopback") as client:
        yield client


@pytest.fixture
def service(account: Account, http: HttpClient) -> Iterator[PinningService]:
    with gateway(MemoryStore(), account.app()) as url:
        yield PinningService(http, url, account.token, sleep=lambda seconds: None)


@pytest.fixture
def owner() -> MemoryStore:
    return MemoryStore()


def test_bundle_links_to_one_manifest_and_its_parts(owner: MemoryStore) -> None:
    first = publish(owner)
    second = publish(owner, sequence=2, previous=first)
    for block in {cid for cid, _ in walk(owner, first)} - {cid for cid, _ in walk(owner, second)}:
        owner.delete(block)
    root = put_bundle(owner, second)
    held = {cid.digest for cid, _ in kept_with(owner, root)}
    assert {cid.digest for cid, _ in walk(owner, second)} <= held
    assert first.digest not in held
    assert put_bundle(owner, second) == root
    assert {cid.digest for cid in bundle_blocks(owner, second)} == {root.digest, second.digest}


def test_pin_waits_until_service_has_everything(account: Account, service: PinningService, owner: MemoryStore) -> None:
    root = put_bundle(owner, publish(owner))
    seen: list[str] = []
    account.looks = 2
    with gateway(owner) as url:
        status = service.pin(root, "birds", [gateway_multiaddr(url)], on_status=seen.append)
    assert status.status == "pinned"
    assert seen == ["queued", "queued", "queued", "pinned"]
    assert {cid for cid, _ in walk(account.store, root)} == {cid for cid, _ in walk(owner, root)}


def test_pin_of_next_version_replaces_the_earlier_one(
    account: Account, service: PinningService, owner: MemoryStore
) -> None:
    with gateway(owner) as url:
        for sequence in (1, 2, 2):
            root = put_bundle(owner, publish(owner, sequence=sequence))
            service.pin(root, "birds", [gateway_multiaddr(url)])
        service.pin(root, "fish", [gateway_multiaddr(url)])
    assert sorted((pin["pin"]["name"], pin["pin"]["cid"]) for pin in account.pins.values()) == [
        ("birds", str(root)),
        ("fish", str(root)),
    ]


def test_pin_returns_after_timeout_while_service_fetches(
    account: Account, service: PinningService, owner: MemoryStore
) -> None:
    account.looks = 10**6
    assert service.pin(put_bundle(owner, publish(owner)), "birds", timeout=0).status == "queued"


def test_failures_of_the_service_are_reported(
    account: Account, service: PinningService, http: HttpClient, owner: MemoryStore
) -> None:
    root = put_bundle(owner, publish(owner))
    with pytest.raises(StoreError, match="no source is configured"):
        service.pin(root, "birds")  # without origins, the service has no source
    with gateway(MemoryStore(), account.app()) as url, pytest.raises(BadReply, match="401"):
        PinningService(http, url, "another token").pin(root, "birds")
    with pytest.raises(Unreachable):
        PinningService(http, "http://127.0.0.1:9", "token").pin(root, "birds")
    with pytest.raises(ConfigError, match="KNET_PINNING_TOKEN"):
        PinningService(http, "http://127.0.0.1:9", "")


@pytest.mark.parametrize(
    ("endpoint", "multiaddr"),
    [
        ("http://127.0.0.1:4180", "/ip4/127.0.0.1/tcp/4180/http"),
        ("https://node.example", "/dns/node.example/tcp/443/https"),
        ("http://[2001:db8::1]:80", "/ip6/2001:db8::1/tcp/80/http"),
        ("https://node.example/behind/a/path", ""),
        ("http://node.example:port", ""),
    ],
)
def test_gateway_url_becomes_a_multiaddr(endpoint: str, multiaddr: str) -> None:
    assert gateway_multiaddr(endpoint) == multiaddr


def test_token_is_absent_from_errors(http: HttpClient, account: Account) -> None:
    with gateway(MemoryStore(), account.app()) as url, pytest.raises(BadReply) as refused:
        PinningService(http, url, "very-secret").pin(Cid.of(b""), "birds")
    assert "very-secret" not in str(refused.value)
