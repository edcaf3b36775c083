"""Real sites' manners: redirects, compression, charsets, feeds, and pages that ask to stay out of indexes."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from knet.errors import BadReply, SourceError, Unreachable
from knet_indexer.config import SourceConfig
from knet_indexer.ingest.sync import sync
from knet_indexer.sources import site_client, sitemap
from knet_indexer.sources.base import Item, parse_source
from knet_indexer.sources.sitemap import SitemapSource
from knet_indexer.sources.sitemap_files import seconds_of
from tests.network.support import make_node

FACT = "The pump starts at noon."
PAGE = (200, {"Content-Type": "text/html"}, f"<html><body><main><p>{FACT}</p></main></body></html>")
XML = {"Content-Type": "application/xml"}
PAST = "Sun, 06 Nov 1994 08:49:37 GMT"
Answer = tuple[int, dict[str, str], str | bytes]


class Site:
    """A server of answers by path; the word SITE in them becomes its address."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requested: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requested.append(self.path)
                status, headers, body = site.answers.get(self.path, (404, {}, "not here"))
                data = body if isinstance(body, bytes) else body.replace("SITE", site.url).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value.replace("SITE", site.url))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def source(self, **options: str) -> SitemapSource:
        source = parse_source(f"sitemap:{self.url}", **options)
        assert isinstance(source, SitemapSource)
        return source

    def items(self, **options: str) -> dict[str, Item]:
        return {item.uri.removeprefix(self.url): item for item in self.source(**options).items()}


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(sitemap, "PAUSE", 0.0)
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def urlset(*paths: str) -> str:
    rows = "".join(f"<url><loc>{path}</loc></url>" for path in paths)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>'


def index(*paths: str) -> str:
    rows = "".join(f"<sitemap><loc>{path}</loc></sitemap>" for path in paths)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</sitemapindex>'


ONE = (200, XML, urlset("SITE/p"))
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>SITE/</link>
<item><title>One</title><link>SITE/p</link><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="SITE/"/><entry><title>One</title>
<link rel="edit" href="SITE/edit"/><link href="/p"/><updated>2026-03-02T10:00:00Z</updated></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><link>SITE/</link></channel><item><link>SITE/p</link></item></rdf:RDF>"""
ROBOTS = "User-agent: *\nAllow: /\n"
SITES: dict[str, dict[str, Answer]] = {
    "page redirects to a slash": {
        "/sitemap.xml": (200, XML, urlset("SITE/docs")),
        "/docs": (301, {"Location": "/docs/"}, ""),
        "/docs/": PAGE,
    },
    "page redirects five times": {
        "/sitemap.xml": (200, XML, urlset("SITE/0")),
        **{f"/{n}": (302 + 5 * (n % 2), {"Location": f"SITE/{n + 1}"}, "") for n in range(5)},
        "/5": PAGE,
    },
    "robots.txt redirects": {
        "/robots.txt": (301, {"Location": "/static/robots.txt"}, ""),
        "/static/robots.txt": (200, {}, ROBOTS),
        "/sitemap.xml": ONE,
        "/p": PAGE,
    },
    "robots.txt redirects for ever": {
        "/robots.txt": (301, {"Location": "/robots.txt"}, ""),
        "/sitemap.xml": ONE,
        "/p": PAGE,
    },
    "sitemap redirects to an index": {
        "/sitemap.xml": (301, {"Location": "/sitemap_index.xml"}, ""),
        "/sitemap_index.xml": (200, XML, index("SITE/a.xml")),
        "/a.xml": ONE,
        "/p": PAGE,
    },
    "gzip under a name of its own": {
        "/sitemap.xml": (200, {"Content-Encoding": "x-gzip"}, b"GZIP"),
        "/p": PAGE,
    },
    "page compressed with gzip": {
        "/sitemap.xml": ONE,
        "/p": (200, {**PAGE[1], "Content-Encoding": "gzip"}, gzip.compress(str(PAGE[2]).encode())),
    },
    "page compressed with deflate": {
        "/sitemap.xml": ONE,
        "/p": (200, {**PAGE[1], "Content-Encoding": "deflate"}, zlib.compress(str(PAGE[2]).encode())),
    },
    "page compressed with raw deflate": {
        "/sitemap.xml": ONE,
        "/p": (200, {**PAGE[1], "Content-Encoding": "deflate"}, zlib.compress(str(PAGE[2]).encode(), wbits=-15)),
    },
    "gzip in the header alone": {"/sitemap.xml": (200, {**XML, "Content-Encoding": "gzip"}, ONE[2]), "/p": PAGE},
    "robots.txt names the sitemap": {
        "/robots.txt": (200, {}, f"{ROBOTS}Sitemap: SITE/maps/all.xml\n"),
        "/maps/all.xml": ONE,
        "/p": PAGE,
    },
    "robots.txt names a relative sitemap": {
        "/robots.txt": (200, {}, f"{ROBOTS}Sitemap: /maps/all.xml\n"),
        "/maps/all.xml": ONE,
        "/p": PAGE,
    },
    "index under another name": {"/sitemap_index.xml": ONE, "/p": PAGE},
    "text sitemap": {"/sitemap.txt": (200, {"Content-Type": "text/plain"}, "SITE/p\r\n"), "/p": PAGE},
    "text sitemap with a mark": {"/sitemap.xml": (200, {}, "\ufeffSITE/p\n\n"), "/p": PAGE},
    "blank lines before the XML": {"/sitemap.xml": (200, XML, f"\n\n{ONE[2]}"), "/p": PAGE},
    "feed as RSS": {"/sitemap.xml": (200, {}, RSS), "/p": PAGE},
    "feed as Atom": {"/sitemap.xml": (200, {}, ATOM), "/p": PAGE},
    "feed as RDF": {"/sitemap.xml": (200, {}, RDF), "/p": PAGE},
    "relative locations": {"/sitemap.xml": (200, XML, urlset("p", "/p")), "/p": PAGE},
    "busy once": {"/sitemap.xml": ONE, "/p": PAGE},
    "charset in the header alone": {
        "/sitemap.xml": ONE,
        "/p": (
            200,
            {"Content-Type": "text/html; charset=iso-8859-1"},
            f"<html><body><p>{FACT} “Le café” coûte 5 €.</p></body></html>".encode("cp1252"),
        ),
    },
    "wrong charset in the header": {
        "/sitemap.xml": ONE,
        "/p": (200, {"Content-Type": "text/html; charset=ascii-plus"}, f"<p>{FACT} Le café.</p>"),
    },
    "plain text by its header": {"/sitemap.xml": ONE, "/p": (200, {"Content-Type": "text/plain"}, FACT)},
}


@pytest.mark.parametrize("name", SITES)
def test_page_of_a_site_with_these_manners_is_read(name: str, site: Site) -> None:
    site.answers = dict(SITES[name])
    for path, (status, headers, body) in site.answers.items():
        if body == b"GZIP":
            site.answers[path] = status, headers, gzip.compress(str(ONE[2]).replace("SITE", site.url).encode())
    (item,) = site.items().values()
    text = item.read().text
    assert FACT in text
    if "header alone" in name and "café" in text:
        assert "“Le café” coûte 5 €." in text


def test_dates_of_feeds_are_read(site: Site) -> None:
    site.answers = {"/sitemap.xml": (200, {}, RSS), "/p": PAGE}
    (item,) = site.items().values()
    assert item.fingerprint == "Mon, 02 Mar 2026 10:00:00 GMT"
    assert item.read().modified == seconds_of("2026-03-02T10:00:00Z") == 1772445600
    assert seconds_of("no date") == 0


@pytest.mark.parametrize(
    ("headers", "head"),
    [
        ({"X-Robots-Tag": "noindex"}, ""),
        ({"X-Robots-Tag": "noarchive, NoIndex"}, ""),
        ({"X-Robots-Tag": "none"}, ""),
        ({"X-Robots-Tag": "knet: noindex"}, ""),
        ({"X-Robots-Tag": "otherbot: nofollow, knet: noindex"}, ""),
        ({}, '<meta name="robots" content="noindex, follow">'),
        ({}, "<META CONTENT='none' NAME=robots>"),
        ({}, '<meta name="knet" content="noindex"/>'),
    ],
)
def test_page_that_asks_not_to_be_indexed_is_left_out(site: Site, headers: dict[str, str], head: str) -> None:
    site.answers = {"/sitemap.xml": ONE, "/p": (200, headers, f"<html><head>{head}</head><p>{FACT}</p></html>")}
    with pytest.raises(SourceError, match="noindex"):
        site.items()["/p"].read()


@pytest.mark.parametrize(
    ("headers", "head"),
    [
        ({"X-Robots-Tag": "otherbot: noindex"}, ""),
        ({"X-Robots-Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST"}, ""),
        ({}, '<!-- <meta name="robots" content="noindex"> -->'),
        ({}, '<meta name="description" content="noindex">'),
        ({}, '<meta name="robots" content="index, follow">'),
    ],
)
def test_page_that_speaks_of_noindex_otherwise_is_read(site: Site, headers: dict[str, str], head: str) -> None:
    site.answers = {"/sitemap.xml": ONE, "/p": (200, headers, f"<html><head>{head}</head><p>{FACT}</p></html>")}
    assert FACT in site.items()["/p"].read().text


def test_redirects_stay_on_the_site_and_within_robots_txt(site: Site) -> None:
    other = Site()
    thread = threading.Thread(target=other.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        other.answers = {"/private": PAGE}
        site.answers = {
            "/robots.txt": (200, {}, "User-agent: *\nDisallow: /private\n"),
            "/sitemap.xml": (
                200,
                XML,
                urlset("SITE/elsewhere", "SITE/moved", "SITE/loop", "SITE/private/x", "SITE/file"),
            ),
            "/elsewhere": (302, {"Location": f"{other.url}/private"}, ""),
            "/moved": (302, {"Location": "/private/y"}, ""),
            "/loop": (302, {"Location": "/loop"}, ""),
            "/file": (302, {"Location": "file:///etc/passwd"}, ""),
            "/private/y": PAGE,
        }
        items = site.items()
        assert list(items) == ["/elsewhere", "/moved", "/loop", "/file"]
        for item in items.values():
            with pytest.raises(SourceError, match="redirects"):
                item.read()
        assert other.requested == []
        assert "/private/y" not in site.requested
    finally:
        other.server.shutdown()
        other.server.server_close()
        thread.join()


def test_compressed_page_stops_at_the_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: site, a compression bomb."""
    monkeypatch.setattr(sitemap, "MAX_PAGE", 1 << 20)
    for encoding, data in (("gzip", gzip.compress(b" " * (40 << 20))), ("deflate", zlib.compress(b" " * (40 << 20)))):
        site.answers = {"/sitemap.xml": ONE, "/p": (200, {"Content-Encoding": encoding}, data)}
        with pytest.raises(SourceError, match="unpacks to more than 1 MiB"):
            site.items()["/p"].read()
    site.answers["/p"] = (200, {"Content-Encoding": "br"}, b"\x0b\x02\x80")
    with pytest.raises(SourceError, match="compressed with br"):
        site.items()["/p"].read()


def test_busy_server_is_asked_once_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        site.answers["/sitemap.xml"] = ONE

    monkeypatch.setattr(site_client.time, "sleep", wait)
    site.answers = {"/sitemap.xml": (503, {"Retry-After": "3600"}, "busy"), "/p": PAGE}
    assert list(site.items()) == ["/p"]
    assert waits[0] == site_client.MAX_WAIT


def test_waits_for_one_site_have_a_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.answers = {"/sitemap.xml": ONE, "/p": (503, {"Retry-After": "3600"}, "busy")}
    item = site.items()["/p"]
    waits: list[float] = []
    monkeypatch.setattr(site_client.time, "sleep", waits.append)
    for _ in range(8):
        with pytest.raises(BadReply, match="503"):
            item.read()
    assert sum(waits) == site_client.MAX_WAITS
    assert site.requested.count("/p") == 8 + 3, "of eight readings, three waited and tried again"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        ("", 1.0),
        ("soon", 1.0),
        ("\u0662", 1.0),
        ("-5", 1.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
    ],
)
def test_wait_is_read_from_seconds_and_dates(asked: str, seconds: float) -> None:
    assert site_client._asked_wait(asked) == seconds
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    assert 3 < site_client._asked_wait(later) <= 5


def test_failed_part_of_an_index_keeps_its_pages_and_stops_only_itself(site: Site, tmp_path: Path) -> None:
    site.answers = {
        "/sitemap.xml": (200, XML, index("SITE/a.xml", "SITE/b.xml")),
        "/a.xml": (200, XML, urlset("SITE/p", "SITE/old", "http://other.example/x")),
        "/b.xml": (200, XML, urlset("SITE/q", "SITE/hidden")),
        **dict.fromkeys(("/p", "/old", "/q", "/new"), PAGE),
        "/hidden": (200, {"X-Robots-Tag": "noindex"}, "hidden"),
    }
    node = make_node(tmp_path / "node", {})
    node.configure(sources=[SourceConfig(spec=f"sitemap:{site.url}")])
    account = sync(node).account
    assert (account.read, dict(account.left_out)) == (3, {"of another host": 1, "noindex": 1})
    assert account.files == 5
    site.answers["/a.xml"] = (200, XML, urlset("SITE/p", "SITE/new"))
    site.answers["/b.xml"] = (500, {}, "broken")
    report = sync(node)
    assert (report.added, report.removed) == (1, 0), "pages of the failed part may still exist"
    assert [part for part, _ in report.account.failures] == [f"{site.url}/b.xml"]
    site.answers["/b.xml"] = (200, XML, urlset("SITE/q"))
    assert sync(node).removed == 2
    with node.open_state() as state:
        assert {row.document.uri.removeprefix(site.url) for row in state.documents()} == {"/p", "/q", "/new"}


def test_site_that_is_down_or_lists_nothing_keeps_its_pages(site: Site, tmp_path: Path) -> None:
    site.answers = {"/sitemap.xml": ONE, "/p": PAGE}
    node = make_node(tmp_path / "node", {})
    node.configure(sources=[SourceConfig(spec=f"sitemap:{site.url}")])
    assert sync(node).added == 1
    for answer in ((500, {}, "down"), (200, XML, urlset())):
        site.answers["/sitemap.xml"] = answer
        report = sync(node)
        assert (report.removed, len(report.account.failures)) == (0, 1)
    with pytest.raises(Unreachable):
        list(parse_source("sitemap:http://127.0.0.1:9/").items())
