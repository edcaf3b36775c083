"""Requests to a site that its owner named, with a browser's manners: redirects, compression, a second attempt.

Each request keeps to the address policy of `knet.http`, and each body to a limit of bytes, compressed and unpacked.
"""

from __future__ import annotations

import codecs
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urldefrag, urljoin

from knet.errors import BadReply, SourceError, TooLarge
from knet.http import HttpClient, Reply, quoted

DEADLINE = 30.0  # seconds for one request
REDIRECTS = 5  # in a row, by RFC 9309 for robots.txt; browsers follow more
BUSY = (429, 503)
MAX_WAIT = 10.0  # seconds before the second attempt at a busy server, also if it asks for more
MAX_WAITS = 30.0  # seconds of all these waits for one site; after them, each page has one attempt
PART = 1 << 16  # bytes that are unpacked at a time
_REDIRECT = (301, 302, 303, 307, 308)
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # 47: zlib or gzip, by the header
_LATIN = {"iso8859-1", "ascii"}  # labels that browsers read as Windows-1252


@dataclass(frozen=True, slots=True)
class SiteReply:
    """A file of a site: ``url`` is its address after all redirects, ``body`` is unpacked."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset of the header as Python names it, Windows-1252 for Latin-1; empty when there is none."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                try:
                    found = codecs.lookup(value.strip().strip("'\"")).name
                except (LookupError, ValueError):
                    return ""
                return "cp1252" if found in _LATIN else found
        return ""


class SiteClient:
    """Client of one site. ``follows`` decides about the target of a redirect, given with the address before it."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http
        self._left = MAX_WAITS

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str = "",
        deadline: float = DEADLINE,
        follows: Callable[[str, str], bool] = lambda old, new: True,
    ) -> SiteReply:
        """Return a file. Raises SourceError for a redirect that is refused, and TransportErrors.

        ``max_bytes`` bounds the unpacked body, ``deadline`` the seconds of each request.
        """
        for _ in range(REDIRECTS + 1):
            reply = self._reply(url, deadline, max_bytes, accept)
            if reply.status not in _REDIRECT:
                return SiteReply(url, reply.headers, self._checked(url, reply, max_bytes))
            target = urldefrag(urljoin(url, reply.headers.get("location", "")))[0]
            if not reply.headers.get("location") or not follows(url, target):
                raise SourceError(f"{url} redirects to {quoted(target)}, which is not a page of this site.")
            url = target
        raise BadReply(f"{url} redirects more than {REDIRECTS} times.", status=310)

    def _reply(self, url: str, deadline: float, max_bytes: int, accept: str) -> Reply:
        reply = self.http.get_reply(url, deadline=deadline, max_bytes=max_bytes, accept=accept)
        if reply.status in BUSY:
            wait = min(_asked_wait(reply.headers.get("retry-after", "")), MAX_WAIT)
            if wait <= self._left:
                self._left -= wait
                time.sleep(wait)
                reply = self.http.get_reply(url, deadline=deadline, max_bytes=max_bytes, accept=accept)
        return reply

    def _checked(self, url: str, reply: Reply, max_bytes: int) -> bytes:
        if not 200 <= reply.status < 300:
            raise BadReply(f"{url} answered {reply.status}.", status=reply.status)
        body = reply.body
        for name in reversed(reply.headers.get("content-encoding", "").lower().split(",")):
            body = _decoded(body, name.strip(), url, max_bytes)
        return body


def _asked_wait(value: str) -> float:
    """Return the seconds that Retry-After asks for (RFC 9110, section 10.2.3), 1 where it is not valid."""
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
        return 1.0


def unpacked(data: bytes, url: str, limit: int, *, window_bits: int = 31) -> Iterator[bytes]:
    """Yield compressed data in parts. Raises SourceError when it is not valid, and TooLarge above ``limit`` bytes."""
    inflate = zlib.decompressobj(wbits=window_bits)
    size = 0
    while data and not inflate.eof:
        try:
            part = inflate.decompress(data, PART)
        except zlib.error as error:
            raise SourceError(f"{url} is not valid gzip: {error}.") from error
        size += len(part)
        if size > limit:
            raise TooLarge(f"{url} unpacks to more than {limit >> 20} MiB.")
        yield part
        data = inflate.unconsumed_tail
    yield inflate.flush()


def _decoded(body: bytes, encoding: str, url: str, limit: int) -> bytes:
    """Undo one Content-Encoding, whatever was asked for. Servers also name one for a body that does not have it."""
    if encoding in ("", "identity") or (encoding in ("gzip", "x-gzip") and not body.startswith(b"\x1f\x8b")):
        return body
    if encoding not in _WINDOW_BITS:
        raise SourceError(f"{url} is compressed with {quoted(encoding)}, which was not asked for.")
    bits = _WINDOW_BITS[encoding]
    if encoding == "deflate" and (len(body) < 2 or body[0] & 15 != 8 or int.from_bytes(body[:2], "big") % 31):
        bits = -15  # raw deflate, which some servers send
    return b"".join(unpacked(body, url, limit, window_bits=bits))
