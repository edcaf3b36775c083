"""Endpoints that nodes announce. Threat model: node, an endpoint with a query, a fragment or a user name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from knet.chain.events import RegistrySnapshot, decode_endpoint, is_endpoint
from knet.codec import to_json
from knet.records import NodeEntry
from knet.routing.follower import DirectoryFollower

GOOD = [
    "http://127.0.0.1:4180", "https://knet.example", "https://knet.example/", "https://moved.example/knet",
    "http://[2620:fe::9]:80/n/17", "https://a-b.example/~me/v1.2/_x", "HTTPS://KNET.EXAMPLE:443", "http://h/...",
]  # fmt: skip
BAD = [
    "", "ftp://victim", "http://", "victim", "//victim/", "http://victim/api?x=", "http://victim?x", "http://victim/a#b",
    "http://victim#", "http://user@victim", "http://user:secret@victim/", "http://victim/a/../b", "http://victim/..",
    "http://victim/./a", "http://victim/%2e%2e/a", "http://victim/a%3Fx=", "http://victim/a;b", "http://victim/a\\b",
    "http://victim/a b", "http://victim/a\n", "http://victim\n", "http://victim/\r\nX: y", "http://vic\ttim",
    "http://victim//a", "http://victim/a&b=", "http://víctim", "http://\u212aelvin", "http://victim:port", "http://victim:8080000",
    "http://victim:", "http://a/" + "a" * 2048, "http://[::1", "http://[::1%eth0]/", "http://victim\x00",
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_endpoint_with_a_plain_path_is_kept(url: str) -> None:
    assert decode_endpoint(url.encode()) == url


@pytest.mark.parametrize("url", BAD)
def test_endpoint_that_would_change_requests_is_refused(url: str) -> None:
    assert decode_endpoint(url.encode()) == ""
    assert not is_endpoint(url)


def test_endpoint_kept_by_an_earlier_version_is_read_as_missing(tmp_path: Path) -> None:
    nodes = {n: NodeEntry(node=n, owner="", wallet="", endpoint=url) for n, url in enumerate((GOOD[0], BAD[5]), 1)}
    cache = tmp_path / "nodes.json"
    cache.write_text(to_json(RegistrySnapshot(block=1, nodes=nodes)))
    absent: Any = SimpleNamespace(budget=None)
    follower = DirectoryFollower(absent, absent, cache, lambda known: [])
    entries = [follower.entry(node) for node in (1, 2)]
    assert [entry.endpoint for entry in entries if entry] == [GOOD[0], ""]
