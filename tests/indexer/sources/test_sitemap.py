"""A site as a source: a real web server, its sitemap, its robots.txt, and attacks by a hostile one."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knet.errors import SourceError, Unreachable
from knet_indexer.sources import Item, parse_source

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


class Site:
    """A web site on this machine: ``pages`` maps a path to a status and a body."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.requested: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requested.append(self.path)
                status, body = site.pages.get(self.path, (404, b"not here"))
                self.send_response(status)
                if status == 301:
                    self.send_header("Location", body.decode())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, path: str, body: str | bytes, status: int = 200) -> None:
        text = body.replace("SITE", self.url).encode() if isinstance(body, str) else body
        self.pages[path] = status, text

    def put_sitemap(self, *entries: str, path: str = "/sitemap.xml", kind: str = "urlset") -> None:
        self.put(path, f'<?xml version="1.0"?><{kind} {NAMESPACE}>{"".join(entries)}</{kind}>')

    def items(self, **options: str) -> dict[str, Item]:
        listed = parse_source(f"sitemap:{self.url}", **options).items()
        return {item.uri.removeprefix(self.url): item for item in listed}


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


@contextmanager
def running(site: Site) -> Iterator[Site]:
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()


def page(path: str, lastmod: str = "") -> str:
    return f"<url><loc>SITE{path}</loc>{f'<lastmod>{lastmod}</lastmod>' if lastmod else ''}</url>"


def test_site_is_read_page_by_page(site: Site) -> None:
    site.put_sitemap(page("/bees", "2026-03-01"), page("/wax#top"), page("/notes.md", "2026-03-02T10:00:00Z"))
    site.put("/bees", "<title>Bees</title><nav>Home | About</nav><article><h1>Bees</h1><p>They dance.</p></article>")
    site.put("/notes.md", "# Notes\n\nPlain.")
    items = site.items()
    assert list(items) == ["/bees", "/wax", "/notes.md"]
    assert items["/bees"].fingerprint == "2026-03-01"
    assert items["/wax"].fingerprint.startswith("day ")
    read = items["/bees"].read()
    assert (read.title, read.text, read.modified) == ("Bees", "# Bees\n\nThey dance.", 1772323200)
    assert items["/notes.md"].read().text == "# Notes\n\nPlain."
    with pytest.raises(SourceError, match=r"answered 404.*The list of pages is out of date"):
        items["/wax"].read()


def test_sitemap_index_is_followed_also_to_gzip(site: Site) -> None:
    first, second = "<sitemap><loc>SITE/a.xml</loc></sitemap>", "<sitemap><loc>SITE/b.xml.gz</loc></sitemap>"
    site.put_sitemap(first, second, "<sitemap><loc>SITE/sitemap.xml</loc></sitemap>", kind="sitemapindex")
    site.put_sitemap(page("/one"), path="/a.xml")
    plain = f"<urlset {NAMESPACE}>{page('/two')}</urlset>".replace("SITE", site.url)
    site.put("/b.xml.gz", gzip.compress(plain.encode()))
    assert list(site.items()) == ["/one", "/two"]
    assert list(site.items(include="*/tw*")) == ["/two"]
    assert list(site.items(limit="1")) == ["/one"]


def test_pages_outside_robots_txt_and_host_are_skipped(site: Site) -> None:
    elsewhere = "<url><loc>http://169.254.169.254/secret</loc></url>"
    site.put_sitemap(page("/open"), page("/private/x"), elsewhere, "<url><loc>file:///etc/passwd</loc></url>")
    site.put("/robots.txt", "User-agent: *\nDisallow: /private/\n")
    assert list(site.items()) == ["/open"]
    site.put("/robots.txt", "User-agent: knet\nDisallow: /\n")
    with pytest.raises(SourceError, match=r"robots\.txt allows"):
        site.items()
    site.put("/robots.txt", "members only", status=403)
    with pytest.raises(SourceError, match="forbids reading the site"):
        site.items()


def test_redirected_page_is_refused(site: Site) -> None:
    site.put_sitemap(page("/moved"))
    site.put("/moved", "http://169.254.169.254/secret", status=301)
    with pytest.raises(SourceError, match="not a page of this site"):
        site.items()["/moved"].read()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>not xml",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><urlset>&b;</urlset>',
        b"\x1f\x8b broken gzip",
    ],
    ids=["no xml", "entity bomb", "no gzip"],
)
def test_invalid_sitemap_is_a_source_error(site: Site, body: bytes) -> None:
    site.put("/sitemap.xml", body)
    with pytest.raises(SourceError, match=r"sitemap\.xml is not"):
        site.items()


def test_gzip_bomb_stops_at_the_limit(site: Site) -> None:
    site.put("/sitemap.xml", gzip.compress(b" " * (51 << 20)))
    with pytest.raises(SourceError, match="unpacks to more than"):
        site.items()


def test_site_that_is_down_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        list(parse_source("sitemap:http://127.0.0.1:9/").items())
