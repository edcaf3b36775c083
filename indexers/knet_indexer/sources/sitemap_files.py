"""Lists of pages that sites offer: sitemaps and their indexes as XML or text, RSS and Atom feeds, compressed or not.

https://www.sitemaps.org/protocol.html, https://www.rssboard.org/rss-specification, RFC 4287.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from knet.errors import SourceError, TooLarge

from .site_client import unpacked

MAX_SITEMAP = 50 << 20  # bytes uncompressed, the protocol's own limit
MAX_ENTRIES = 50_000  # of one sitemap, the protocol's own limit
MAX_ADDRESS = 2048  # characters of a page's address, the protocol's own limit
MAX_DATE = 40  # characters of a date
MAX_XML_DEPTH = 64
# root element -> entry, its address, its dates in order of preference
_SHAPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "urlset": ("url", "loc", ("lastmod",)),
    "sitemapindex": ("sitemap", "loc", ("lastmod",)),
    "rss": ("item", "link", ("pubDate", "date")),
    "RDF": ("item", "link", ("date",)),
    "feed": ("entry", "link", ("updated", "published")),
}


class PageList:
    """The entries of a list, address and date each, collected while it is parsed; nothing else of it is held."""

    def __init__(self) -> None:
        self.is_index = False
        self.entries: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._values: dict[str, str] = {}

    def add(self, url: str, date: str) -> None:
        """Add an entry, unless its address is too long."""
        if 0 < len(url) <= MAX_ADDRESS and len(self.entries) < MAX_ENTRIES:
            self.entries.append((url.partition("#")[0], date[:MAX_DATE]))

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Note the start of an element. Raises ValueError for one that is nested too deep, or an unknown root."""
        if len(self._path) >= MAX_XML_DEPTH:
            raise ValueError(f"it nests more than {MAX_XML_DEPTH} elements")
        name = tag.rpartition("}")[2]
        if not self._path and name not in _SHAPES:
            raise ValueError(f"it begins with {name[:40]!r}")
        self._path.append(name)
        self.is_index = self._path[0] == "sitemapindex"
        entry, address, _ = _SHAPES[self._path[0]]
        if name == entry and len(self._path) <= 3:
            self._values = {}
        elif name == address and self._is_inside(entry) and attributes.get("rel", "alternate") == "alternate":
            self._values.setdefault(address, attributes.get("href", "")[: MAX_ADDRESS + 1])  # Atom

    def data(self, text: str) -> None:
        entry, address, dates = _SHAPES[self._path[0]]
        if (name := self._path[-1]) in (address, *dates) and self._is_inside(entry):
            self._values[name] = (self._values.get(name, "") + text)[: MAX_ADDRESS + 1]

    def _is_inside(self, entry: str) -> bool:
        """Return whether the current element is a direct child of an entry."""
        return 2 <= len(self._path) <= 4 and self._path[-2] == entry

    def end(self, tag: str) -> None:
        entry, address, dates = _SHAPES[self._path[0]]
        if tag.rpartition("}")[2] == entry and len(self._path) <= 3:
            date = next((self._values[name] for name in dates if self._values.get(name)), "")
            self.add(self._values.get(address, "").strip(), date.strip())
            self._values = {}
        self._path.pop()

    def close(self) -> None: ...


def read_page_list(data: bytes, url: str) -> PageList:
    """Return the entries of a list of any form. Raises SourceError, also for one that unpacks to too much."""
    try:
        return _read(data, url)
    except TooLarge as error:
        raise SourceError(str(error)) from error


def _read(data: bytes, url: str) -> PageList:
    parts = unpacked(data, url, MAX_SITEMAP) if data.startswith(b"\x1f\x8b") else iter([data])
    first = next(parts, b"")
    found = PageList()
    if first.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"<", b"") and not first.startswith((b"\xff", b"\xfe")):
        text = b"".join(chain([first], parts)).decode("utf-8-sig", "replace")
        for line in text.splitlines():
            found.add(line.strip(), "")
        if found.entries and all(address.startswith(("http://", "https://", "/")) for address, _ in found.entries):
            return found
        raise SourceError(f"{url} is not a sitemap: its lines are not addresses.")
    parser = XMLParser(target=found)
    try:
        for part in chain([first.removeprefix(b"\xef\xbb\xbf").lstrip()], parts):
            parser.feed(part)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise SourceError(f"{url} is not a sitemap: {type(error).__name__}: {error}") from error
    return found


def seconds_of(date: str) -> int:
    """Return the unix seconds of a W3C date or an RFC 5322 date, or 0 when it is not valid."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = read(date)
            return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return 0
