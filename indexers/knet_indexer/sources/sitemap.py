"""``sitemap:URL``: the pages a site lists in a sitemap or a feed.

It reads only pages of the site's own hosts that robots.txt allows (RFC 9309) and that do not ask to stay out of
indexes (``noindex``), one at a time with a pause in between. A page changed when its date in the list did. A page
without a date is read once a day.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property, partial
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from knet.errors import AddressRefused, BadReply, SourceError, TooLarge, TransportError
from knet.http import AddressPolicy, HttpClient

from .base import Item, Text, patterns, positive_number
from .budget import Budget
from .files import decode_text
from .listing import LEFT_OUT, Listing
from .sandbox import POOL
from .site_client import DEADLINE, SiteClient, SiteReply
from .sitemap_files import MAX_SITEMAP, PageList, read_page_list, seconds_of

AGENT = "knet"
MAX_RULES = 2000  # lines of a robots.txt: each page is compared with all of them
MAX_SITEMAPS = 200  # files that an index may list
MAX_PAGE = 16 << 20
MAX_ROBOTS = 512 << 10  # RFC 9309 asks readers to take at least 500 KiB
MAX_PAGES = 10_000
MAX_HEAD = 64 << 10  # bytes of a page that are searched for its robots rules
PAUSE = 0.2  # seconds between pages, unless robots.txt asks for more
MAX_PAUSE = 10.0  # also for a site that asks for longer pauses
GUESSES = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")  # tried if robots.txt names none
_QUADRATIC = {"idna", "punycode"}  # encodings of names, not of pages: their time grows with the square of the length
_PLAIN = {".md": "text/markdown", ".txt": "text/plain", ".rst": "text/x-rst"}
_PLAIN_TYPES = ("text/plain", "text/markdown", "text/x-rst")
_WORD = ".docx"
_META = re.compile(rb"<meta\b([^<>]{0,1000})>")
_ATTRIBUTE = re.compile(rb"""\b(name|content)\s{0,9}=\s{0,9}(?:"([^"]{0,1000})"|'([^']{0,1000})'|([^\s"'>]{1,1000}))""")


class SitemapSource:
    """The pages of one site. ``limit`` is their maximum number, ``include`` holds patterns of urls (``*/docs/*``).

    ``addresses`` is ``public`` for public addresses only, or ``private`` for all; empty, the first public one decides.
    """

    def __init__(self, argument: str, *, limit: str = "", include: str = "", addresses: str = "") -> None:
        parts = urlsplit(argument)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SourceError(f"{argument!r} is not the address of a site.", hint="Begin it with https://.")
        self.url = argument
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
        self._hosts = {parts.netloc.lower()}  # of the site: the one that its owner named, and where its list moved to
        self._robots: dict[str, RobotFileParser] = {}

    @cached_property
    def _client(self) -> SiteClient:
        return SiteClient(HttpClient(self.policy))  # the owner chose the address

    def _get(
        self,
        url: str,
        max_bytes: int,
        accept: str = "",
        follows: Callable[[str, str], bool] = lambda before, target: True,
    ) -> SiteReply:
        self.policy.refused = None
        try:
            deadline = min(DEADLINE, self.budget.seconds_left)
            return self._client.get(url, deadline=deadline, max_bytes=max_bytes, accept=accept, follows=follows)
        except AddressRefused as error:
            if self.policy.name != "public" or self.policy.refused is None:
                raise
            raise AddressRefused(
                f"{url} was not read: {self.host} leads to {self.policy.refused} now, which is not a public address.",
                hint="If it moved into your own network, add the source again with `-o addresses=private`. "
                "Otherwise remove it: the site tries to have pages of your network published.",
            ) from error

    def items(self) -> Iterator[Item]:
        """Yield an item for each page. Raises SourceError or TransportError when the site or its list cannot be read.

        One of several lists that fails is recorded in `listing`.
        """
        self.listing = Listing()
        robots = self._robots_of(self.url)
        self._pause = min(float(robots.crawl_delay(AGENT) or PAUSE), MAX_PAUSE)
        pages: dict[str, str] = {}
        for url, date in self._pages(robots):
            if url in pages:
                continue
            if self._robots_of(url).can_fetch(AGENT, url):
                pages[url] = date
            else:
                self.listing.leave_out("forbidden by robots.txt", url)
            if len(pages) == self._limit or not self.budget.in_time():
                break
        if not pages and not self.budget.is_spent:
            raise SourceError(f"{self.url} lists no page of its own host that robots.txt allows.")
        for url, date in pages.items():
            fingerprint = date or f"day {datetime.now(UTC).date()}"
            reader = partial(self._read, url, date)
            yield Item(uri=url, fingerprint=fingerprint, title=urlsplit(url).path, reader=reader)

    # --- robots.txt ------------------------------------------------------------------------------------------------

    def _robots_of(self, page: str) -> RobotFileParser:
        """Return the rules of a page's host, read once. Raises SourceError where it forbids reading, TransportError."""
        url = urljoin(page, "/robots.txt")
        if url not in self._robots:
            self._robots[url] = self._read_robots(url)
        return self._robots[url]

    def _read_robots(self, url: str) -> RobotFileParser:
        robots = RobotFileParser(url)
        try:
            data = self._get(url, MAX_ROBOTS).body
            robots.parse(data.decode("utf-8-sig", "replace").splitlines()[:MAX_RULES])
        except BadReply as error:
            if error.status in (401, 403):
                raise SourceError(f"{url} forbids reading the site ({error.status}).") from error
            if not 300 <= error.status < 500:  # more than five redirects count as a missing file
                raise
            robots.parse([])
        return robots

    # --- lists of pages --------------------------------------------------------------------------------------------

    def _lists(self, robots: RobotFileParser) -> Iterator[tuple[str, PageList]]:
        """Yield the lists that the owner's address leads to, with their addresses. Raises as the last that failed."""
        if urlsplit(self.url).path not in ("", "/"):
            if self.budget.may_request():
                yield self._list(self.url)
            return
        named = [urljoin(self.url, url) for url in robots.site_maps() or []][:MAX_SITEMAPS]
        failures: list[SourceError | TransportError] = []
        found = False
        for url in named or [urljoin(self.url, path) for path in GUESSES]:
            if not self.budget.may_request():
                return
            try:
                yield self._list(url)
                found = True
                if not named:
                    return
            except (SourceError, TransportError) as error:
                failures.append(error)
                if not named and not _is_missing(error):
                    raise
                if named:
                    self._fail(url, error)
        if failures and not found:
            raise failures[0]

    def _list(self, url: str) -> tuple[str, PageList]:
        reply = self._get(url, MAX_SITEMAP)
        self._hosts.add(urlsplit(reply.url).netloc.lower())
        return reply.url, read_page_list(reply.body, url)

    def _fail(self, url: str, error: Exception) -> None:
        self.listing.failed[url] = str(error)
        self.listing.is_incomplete = True

    def _pages(self, robots: RobotFileParser) -> Iterator[tuple[str, str]]:
        """Yield address and date of every page, through nested sitemaps."""
        seen = {self.url}
        queue: list[tuple[str, PageList | None]] = []
        for at, pages in self._lists(robots):
            seen.add(at)
            queue.append((at, pages))
            while queue:
                where, pages_here = queue.pop(0)
                if pages_here is None:
                    if not self.budget.may_request():
                        return
                    try:
                        where, pages_here = self._list(where)
                    except (SourceError, TransportError) as error:
                        self._fail(where, error)
                        continue
                for address, date in pages_here.entries:
                    url = urljoin(where, address)
                    if urlsplit(url).scheme not in ("http", "https") or urlsplit(url).netloc.lower() not in self._hosts:
                        if not pages_here.is_index:
                            self.listing.leave_out("of another host", url)
                    elif pages_here.is_index:
                        if url not in seen and len(seen) < MAX_SITEMAPS:
                            seen.add(url)
                            queue.append((url, None))
                    elif not self._include or any(fnmatchcase(url, pattern) for pattern in self._include):
                        yield url, date
                    else:
                        self.listing.leave_out("not named by include", url)

    # --- pages -----------------------------------------------------------------------------------------------------

    def _read(self, url: str, date: str) -> Text:
        """Return a page's text. Raises SourceError for a page that was removed or moved, else TransportError."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._pause
        accept = "text/html, application/xhtml+xml, text/plain, text/markdown, application/pdf, */*;q=0.1"
        try:
            reply = self._get(url, MAX_PAGE, accept, self._follows)
        except (AddressRefused, TooLarge) as error:
            if self.policy.refused is not None:
                raise  # the page read before stays
            raise SourceError(str(error)) from error
        except BadReply as error:
            if error.status in (310, 404, 410):
                raise SourceError(str(error), hint="The list of pages is out of date.") from error
            raise
        if asks_not_to_be_indexed(reply):
            raise SourceError(f"{LEFT_OUT}noindex")
        return replace(_page_text(reply, url), modified=seconds_of(date))

    def _follows(self, _: str, target: str) -> bool:
        """Return whether a page's redirect stays on the site, at a page that robots.txt allows."""
        inside = urlsplit(target).netloc.lower() in self._hosts
        return inside and self._robots_of(target).can_fetch(AGENT, target)


def _is_missing(error: Exception) -> bool:
    return isinstance(error, BadReply) and error.status in (404, 410)


def asks_not_to_be_indexed(reply: SiteReply) -> bool:
    """Return whether a page's header or its meta elements say ``noindex`` to all readers, or to this one."""
    agent = ""
    for part in reply.headers.get("x-robots-tag", "").lower().split(","):
        name, colon, rule = part.rpartition(":")
        agent = name.strip() if colon and name.strip() != "unavailable_after" else agent
        if agent in ("", AGENT) and rule.strip() in ("noindex", "none"):
            return True
    head = _without_comments(reply.body[:MAX_HEAD].lower())
    for tag in _META.findall(head):
        fields = {name: b"".join(values) for name, *values in _ATTRIBUTE.findall(tag)}
        rules = {rule.strip() for rule in fields.get(b"content", b"").split(b",")}
        if fields.get(b"name") in (b"robots", AGENT.encode()) and rules & {b"noindex", b"none"}:
            return True
    return False


def _without_comments(html: bytes) -> bytes:
    parts, at = [], 0
    while (start := html.find(b"<!--", at)) >= 0 and (end := html.find(b"-->", start + 4)) >= 0:
        parts.append(html[at:start])
        at = end + 3
    return b"".join([*parts, html[at:]])


def _page_text(reply: SiteReply, url: str) -> Text:
    data, path = reply.body, urlsplit(reply.url).path
    suffix = path[path.rfind(".") :].lower() if "." in path.rpartition("/")[2] else ""
    if data.startswith(b"%PDF-"):
        return POOL.convert(".pdf", data, url)
    if suffix == _WORD and data.startswith(b"PK"):
        return POOL.convert(_WORD, data, url)
    data = _in_utf8(reply)
    if (suffix in _PLAIN and reply.media_type != "text/html") or reply.media_type in _PLAIN_TYPES:
        return Text(decode_text(data, url), media_type=_PLAIN.get(suffix, reply.media_type or "text/plain"))
    return POOL.convert(".html", data, url)


def _in_utf8(reply: SiteReply) -> bytes:
    """Return a page with a byte order mark of UTF-8 where its header names the charset; a mark of its own has priority.

    A header with the wrong charset is ignored.
    """
    named = reply.charset and reply.charset not in _QUADRATIC
    if named and not reply.body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return b"\xef\xbb\xbf" + reply.body.decode(reply.charset).encode()
        except (UnicodeError, LookupError):
            return reply.body
    return reply.body
