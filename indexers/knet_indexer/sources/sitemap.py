"""``sitemap:URL``: the pages a site lists in its sitemap (https://www.sitemaps.org/protocol.html).

It reads only pages of the sitemap's own host that robots.txt allows (RFC 9309), one at a time with a pause in between.
A page changed when its ``lastmod`` did. A page without ``lastmod`` is read once a day.

A site may be one of the owner's network. Once its name led to a public address, only public addresses are asked, so
that it cannot make the node publish pages of the owner's network; `knet_indexer.ingest.sites` remembers this.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property, partial
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from knet.errors import AddressRefused, BadReply, SourceError, TooLarge
from knet.http import AddressPolicy, HttpClient

from .base import Item, Text, patterns, positive_number
from .budget import Budget
from .files import decode_text
from .listing import Listing
from .sandbox import POOL

AGENT = "knet"
DEADLINE = 30.0  # seconds for one page
MAX_SITEMAP = 50 << 20  # bytes uncompressed, the protocol's own limit
MAX_ENTRIES = 50_000  # of one sitemap, the protocol's own limit
MAX_ADDRESS = 2048  # characters of a page's address, the protocol's own limit
MAX_DATE = 40  # characters of a date
MAX_XML_DEPTH = 64
PART = 1 << 16  # bytes that are unpacked at a time
MAX_RULES = 2000  # lines of a robots.txt: each page is compared with all of them
MAX_SITEMAPS = 200  # files that an index may list
MAX_PAGE = 16 << 20
MAX_ROBOTS = 512 << 10  # RFC 9309 asks readers to take at least 500 KiB
MAX_PAGES = 10_000
PAUSE = 0.2  # seconds between pages, unless robots.txt asks for more
MAX_PAUSE = 10.0  # also for a site that asks for longer pauses
_PLAIN = {".md": "text/markdown", ".txt": "text/plain", ".rst": "text/x-rst"}


class SitemapSource:
    """The pages of one site. ``limit`` is their maximum number, ``include`` holds patterns of urls (``*/docs/*``).

    ``addresses`` is ``public`` for public addresses only, or ``private`` for all; empty, the first public one decides.
    """

    def __init__(self, argument: str, *, limit: str = "", include: str = "", addresses: str = "") -> None:
        parts = urlsplit(argument)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SourceError(f"{argument!r} is not the address of a site.", hint="Begin it with https://.")
        self.url = argument if parts.path not in ("", "/") else urljoin(argument, "/sitemap.xml")
        self.name = f"sitemap:{argument}"
        self._limit = positive_number(self.name, "limit", limit) if limit else MAX_PAGES
        self._include = patterns(include)
        if addresses not in ("", "public", "private"):
            raise SourceError(f"{self.name}: addresses is {addresses!r}.", hint="Write public or private.")
        self.host = parts.hostname or ""
        self.policy = AddressPolicy(addresses or "private", narrows=not addresses)
        self.budget = Budget()
        self.listing = Listing()
        self._pause = PAUSE
        self._next = 0.0

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.policy)  # the owner chose the address, and only its host is contacted

    def _get(self, url: str, max_bytes: int, accept: str = "") -> bytes:
        self.policy.refused = None
        try:
            return self._client.get(
                url, deadline=min(DEADLINE, self.budget.seconds_left), max_bytes=max_bytes, accept=accept
            )
        except AddressRefused as error:
            if self.policy.name != "public" or self.policy.refused is None:
                raise
            raise AddressRefused(
                f"{url} was not read: {self.host} leads to {self.policy.refused} now, which is not a public address.",
                hint="If it moved into your own network, add the source again with `-o addresses=private`. "
                "Otherwise remove it: the site tries to have pages of your network published.",
            ) from error

    def items(self) -> Iterator[Item]:
        robots = self._robots()
        self._pause = min(float(robots.crawl_delay(AGENT) or PAUSE), MAX_PAUSE)
        self.listing = Listing()
        pages: dict[str, str] = {}
        for url, lastmod in self._pages():
            if robots.can_fetch(AGENT, url):
                pages[url] = lastmod
            else:
                self.listing.leave_out("forbidden by robots.txt", url)
            if len(pages) == self._limit or not self.budget.in_time():
                break
        if not pages and not self.budget.is_spent:
            raise SourceError(f"{self.url} lists no page of its own host that robots.txt allows.")
        for url, lastmod in pages.items():
            fingerprint = lastmod or f"day {datetime.now(UTC).date()}"
            reader = partial(self._read, url, lastmod)
            yield Item(uri=url, fingerprint=fingerprint, title=urlsplit(url).path, reader=reader)

    def _robots(self) -> RobotFileParser:
        url = urljoin(self.url, "/robots.txt")
        robots = RobotFileParser(url)
        try:
            data = self._get(url, MAX_ROBOTS)
            robots.parse(data.decode("utf-8", "replace").splitlines()[:MAX_RULES])
        except BadReply as error:
            if error.status in (401, 403):
                raise SourceError(f"{url} forbids reading the site ({error.status}).") from error
            if not 400 <= error.status < 500:
                raise
            robots.parse([])
        return robots

    def _pages(self) -> Iterator[tuple[str, str]]:
        """Yield address and ``lastmod`` of every page, through nested sitemaps."""
        queue, seen = [self.url], {self.url}
        while queue and self.budget.may_request():
            listing = self._sitemap(queue.pop(0))
            for url, lastmod in listing.entries:
                if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
                    self.listing.leave_out("of another host", url)
                    continue
                if listing.is_index:
                    if url not in seen and len(seen) < MAX_SITEMAPS:
                        seen.add(url)
                        queue.append(url)
                elif not self._include or any(fnmatchcase(url, pattern) for pattern in self._include):
                    yield url, lastmod
                else:
                    self.listing.leave_out("not named by include", url)

    def _sitemap(self, url: str) -> _Listing:
        data = self._get(url, MAX_SITEMAP)
        listing = _Listing()
        parser = XMLParser(target=listing)
        try:
            for part in _unzipped(data, url):
                parser.feed(part)
            parser.close()
            return listing
        except (ParseError, DefusedXmlException, ValueError) as error:
            raise SourceError(f"{url} is not a sitemap: {type(error).__name__}: {error}") from error

    def _read(self, url: str, lastmod: str) -> Text:
        """Return a page's text. Raises SourceError for a page that was removed or moved, else TransportError."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause
        try:
            data = self._get(url, MAX_PAGE, "text/html, text/plain")
        except (AddressRefused, TooLarge) as error:
            if self.policy.refused is not None:
                raise  # the page read before stays
            raise SourceError(str(error)) from error
        except BadReply as error:
            if error.status in (404, 410):
                raise SourceError(str(error), hint="The sitemap is out of date.") from error
            raise
        return replace(_page_text(data, url), modified=_seconds(lastmod))


class _Listing:
    """The entries of a sitemap, collected while it is parsed; nothing else of it is held."""

    def __init__(self) -> None:
        self.is_index = False
        self.entries: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._values = {"loc": "", "lastmod": ""}

    def start(self, tag: str, _attributes: object) -> None:
        """Note the start of an element. Raises ValueError for one that is nested too deep."""
        if len(self._path) >= MAX_XML_DEPTH:
            raise ValueError(f"it nests more than {MAX_XML_DEPTH} elements")
        self._path.append(tag.rpartition("}")[2])
        self.is_index = self._path[0] == "sitemapindex"

    def data(self, text: str) -> None:
        if len(self._path) == 3 and (name := self._path[2]) in self._values:
            self._values[name] = (self._values[name] + text)[: MAX_ADDRESS + 1]

    def end(self, _tag: str) -> None:
        if len(self._path) == 2 and self._path[1] == ("sitemap" if self.is_index else "url"):
            url, lastmod = (value.strip() for value in self._values.values())
            if 0 < len(url) <= MAX_ADDRESS and len(self.entries) < MAX_ENTRIES:
                self.entries.append((url.partition("#")[0], lastmod[:MAX_DATE]))
            self._values = dict.fromkeys(self._values, "")
        self._path.pop()

    def close(self) -> None: ...


def _unzipped(data: bytes, url: str) -> Iterator[bytes]:
    """Yield a sitemap's text in parts. Raises SourceError for one that is not valid gzip or too long."""
    if not data.startswith(b"\x1f\x8b"):
        yield data
        return
    inflate = zlib.decompressobj(wbits=31)
    size = 0
    while data and not inflate.eof:
        try:
            part = inflate.decompress(data, PART)
        except zlib.error as error:
            raise SourceError(f"{url} is not valid gzip: {error}.") from error
        size += len(part)
        if size > MAX_SITEMAP:
            raise SourceError(f"{url} unpacks to more than {MAX_SITEMAP >> 20} MiB.")
        yield part
        data = inflate.unconsumed_tail
    yield inflate.flush()


def _page_text(data: bytes, url: str) -> Text:
    path = urlsplit(url).path
    suffix = path[path.rfind(".") :].lower() if "." in path else ""
    if data.startswith(b"%PDF-"):
        return POOL.convert(".pdf", data, url)
    if suffix in _PLAIN:
        return Text(decode_text(data, url), media_type=_PLAIN[suffix])
    return POOL.convert(".html", data, url)


def _seconds(lastmod: str) -> int:
    """Return the unix seconds of a W3C date, or 0 when it is not valid."""
    try:
        when = datetime.fromisoformat(lastmod)
    except ValueError:
        return 0
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
