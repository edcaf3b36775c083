"""Sites whose name later leads inward: once a site had a public address, only public addresses are asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from knet import http
from knet.errors import AddressRefused, SourceError
from knet.http import AddressPolicy
from knet_indexer.cli.status import read_status
from knet_indexer.config import NodeConfig, SourceConfig, save_config
from knet_indexer.ingest.sync import SyncReport, sync
from knet_indexer.node import Node
from knet_indexer.sources.base import parse_source
from tests.network.support import open_node

from .test_sitemap import Site, page, running

PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"  # two addresses of this machine; the first passes for a public one
HOST = "docs.example.org"


class Names:
    """The name servers of the world: ``answers`` are the addresses of every name, in order."""

    def __init__(self) -> None:
        self.answers = [PUBLIC]
        self.asked = 0

    def resolve(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        found = [host] if host[0].isdigit() else self.answers
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names.resolve)
    monkeypatch.setattr(http, "_is_public", lambda ip: str(ip) == PUBLIC)
    return names


@pytest.fixture
def outside(names: Names) -> Iterator[Site]:
    """A site with a public name, which serves at all addresses of this machine."""
    with running(Site("0.0.0.0")) as site:
        yield named(site)


def named(site: Site) -> Site:
    site.url = f"http://{HOST}:{site.server.server_port}"
    site.put_sitemap(page("/bees", "2026-03-01"))
    site.put("/bees", "<title>Bees</title><article><p>Bees dance.</p></article>")
    return site


@pytest.fixture
def node(tmp_path: Path, outside: Site) -> Node:
    config = NodeConfig(name="mine", sources=[SourceConfig(spec=f"sitemap:{outside.url}")])
    save_config(tmp_path / "mine", config)
    return open_node(tmp_path / "mine")


def again(node: Node) -> SyncReport:
    """Sync as another process would, after a restart."""
    return sync(open_node(node.folder))


def move_inward(site: Site, names: Names, *answers: str) -> None:
    names.answers = list(answers or [INSIDE])
    site.put_sitemap(page("/bees", "2026-03-01"), page("/payroll", "2026-03-02"))
    site.put("/payroll", "<title>Payroll</title><article><p>Salaries of all.</p></article>")
    site.requested.clear()


@pytest.mark.parametrize("answers", [[INSIDE], [INSIDE, INSIDE]])
def test_site_that_was_public_is_not_asked_at_a_private_address_after_a_restart(
    node: Node, outside: Site, names: Names, answers: list[str]
) -> None:
    """Threat model: site, a name that later points into the owner's network."""
    assert sync(node).added == 1
    move_inward(outside, names, *answers)
    report = again(node)
    (source, reason), *rest = report.skipped
    assert (source, rest, outside.requested) == (f"sitemap:{outside.url}", [], [])
    assert f"{HOST} leads to {INSIDE} now, which is not a public address" in reason
    assert "-o addresses=private" in reason
    assert (report.added, report.removed) == (0, 0), "pages read before stay"
    account = read_status(node).account
    assert account is not None
    assert account.failures == [(source, reason)], "the owner finds it in `knet node status`"
    names.answers = [PUBLIC]
    assert again(node).added == 1


def test_other_source_of_the_same_host_is_restricted_too(node: Node, outside: Site, names: Names) -> None:
    sync(node)
    move_inward(outside, names)
    outside.put_sitemap(page("/payroll"), path="/other.xml")
    other = SourceConfig(spec=f"sitemap:{outside.url.replace(HOST, HOST.upper() + '.')}/other.xml")
    node.configure(sources=[*node.config.sources, other])
    assert len(again(node).skipped) == 2
    assert outside.requested == []


def test_owner_can_accept_a_site_that_moved_into_the_network(node: Node, outside: Site, names: Names) -> None:
    sync(node)
    move_inward(outside, names)
    node.configure(sources=[SourceConfig(spec=f"sitemap:{outside.url}", options={"addresses": "private"})])
    assert again(node).skipped == []


def test_site_that_was_always_private_is_read(node: Node, outside: Site, names: Names) -> None:
    names.answers = [INSIDE]
    assert sync(node).added == 1
    move_inward(outside, names)
    assert again(node).added == 1


def test_name_that_changes_between_two_requests_is_refused(outside: Site, names: Names) -> None:
    """Threat model: site, DNS rebinding between its sitemap and its pages, and among the addresses of one reply."""
    source = parse_source(f"sitemap:{outside.url}")
    (item,) = source.items()
    source._client.http.close()  # type: ignore[attr-defined]  # a connection that is kept alive would still be the old one
    del source.__dict__["_client"]
    move_inward(outside, names)
    with pytest.raises(AddressRefused, match="was not read"):
        item.read()
    assert outside.requested == []


def test_second_address_of_a_public_name_may_not_be_private(names: Names) -> None:
    names.answers = [PUBLIC, INSIDE]
    with running(named(Site(INSIDE))) as site, pytest.raises(AddressRefused, match="not a public address"):
        list(parse_source(f"sitemap:{site.url}").items())  # nothing answers at the first address
    assert site.requested == []


def test_redirect_inward_is_not_followed(node: Node, outside: Site, names: Names) -> None:
    outside.put("/bees", f"http://{INSIDE}/payroll", status=301)
    assert "not a page of this site" in dict(sync(node).skipped)[f"{outside.url}/bees"]


def test_list_that_redirects_inward_is_refused(outside: Site, names: Names) -> None:
    for path in ("/robots.txt", "/sitemap.xml"):
        outside.put(path, f"http://{INSIDE}/payroll.xml", status=301)
        with pytest.raises(AddressRefused, match="not a public address"):
            list(parse_source(f"sitemap:{outside.url}").items())
        outside.put("/robots.txt", "", status=404)


def test_site_may_be_restricted_from_the_start(outside: Site, names: Names) -> None:
    names.answers = [INSIDE]
    with pytest.raises(AddressRefused, match="not a public address"):
        list(parse_source(f"sitemap:{outside.url}", addresses="public").items())
    with pytest.raises(SourceError, match="Write public or private"):
        parse_source(f"sitemap:{outside.url}", addresses="any")


def test_policy_narrows_with_the_first_public_address_only() -> None:
    policy = AddressPolicy("private", narrows=True)
    inside, outside = ip_address("10.0.0.7"), ip_address("93.184.216.34")
    assert policy.accepts(inside)
    assert policy.accepts(outside)
    assert not policy.accepts(inside)
    assert policy.refused == inside
    assert not policy.accepts(ip_address("::ffff:10.0.0.7"))


@pytest.mark.parametrize("path", ["/robots.txt", "/sitemap.xml"])
def test_list_of_a_public_site_does_not_redirect_inward(outside: Site, names: Names, path: str) -> None:
    """Threat model: site, a redirect of its robots.txt or list to an address of the owner's network."""
    outside.put(path, f"http://{INSIDE}:{outside.server.server_port}/payroll", status=301)
    with pytest.raises(AddressRefused, match=f"leads to {INSIDE} now"):
        list(parse_source(f"sitemap:{outside.url}").items())
    assert "/payroll" not in outside.requested
