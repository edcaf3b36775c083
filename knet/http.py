"""HTTP client for untrusted servers: total deadlines, byte limits and an address policy.

A reply has one total deadline, which includes DNS, connect and slow transfer, and a byte limit. It is never
decompressed or redirected. Addresses from the chain are checked when the socket is created, after name resolution. So
neither an IP literal nor a name that resolves differently the second time evades the policy.

Each `HttpClient` runs its own event loop in a thread. Synchronous callers, asynchronous callers and notebooks, whose
loop is already running, share one pool of kept-alive connections.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from .codec import from_json
from .errors import (
    AddressRefused,
    BadReply,
    CodecError,
    DeadlineExceeded,
    KnetError,
    TooLarge,
    TransportError,
    Unreachable,
)

T = TypeVar("T")
IpAddress = IPv4Address | IPv6Address

KEEP_ALIVE = 30.0  # seconds; the next question within them reuses the connection
CONNECTIONS = 256  # all hosts together: a query goes to tens of nodes, and each may hang until its deadline
CONNECTIONS_PER_HOST = 16  # one slow host cannot use up the pool
RESOLVER_THREADS = 32  # getaddrinfo blocks a thread; nodes with dead name servers must not block the others
MAX_PROBLEM = 16 << 10  # bytes read of an error's body
MAX_DETAIL = 300  # characters quoted from another machine

# Networks that no node of a public network can have: the IANA special-purpose address registries (RFC 6890, as of 2025;
# iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry). The ranges for AS112, AMT and 6to4
# relays are in them although Python's `ipaddress` calls them global: none of their addresses is a server's own.
_SPECIAL_IPV4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_GLOBAL_IPV6 = IPv6Network("2000::/3")  # all that IANA allots: fec0::/10, 5f00::/16, 100::/64 and the rest lie outside
_SPECIAL_IPV6 = [
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]  # 2001::/23 has Teredo, benchmarking and ORCHID
_NEVER_IPV4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
        "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",  # metadata of Alibaba, Azure, Oracle
    )
]  # fmt: skip
_NEVER_IPV6 = [
    IPv6Network(text)
    for text in (
        "::/128", "fe80::/10", "ff00::/8",
        "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128",
    )
]  # fmt: skip  # unique local ones: metadata of AWS, Google, Oracle, Scaleway
_LAST_32_BITS = [
    IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
]  # IPv4-compatible, IPv4-mapped, IPv4-translated (RFC 2765), NAT64 (RFC 6052, RFC 8215)
_AS_IPV4 = [IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")]  # reach the IPv4 address and nothing else
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_ISATAP = (0x00005EFE, 0x02005EFE)  # third 32 bits of an address that ends in an IPv4 address (RFC 5214)


def _embedded(ip: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that a packet to this IPv6 address may reach."""
    number = int(ip)
    found = [IPv4Address(number & 0xFFFFFFFF)] if number > 1 and any(ip in net for net in _LAST_32_BITS) else []
    if ip in _LOCAL_NAT64:  # a prefix of 48 bits has the address on both sides of bits 64 to 71, one of 96 at the end
        found.append(IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF))
        found = [each for each in found if int(each)]
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        found.append(IPv4Address(number & 0xFFFFFFFF))
    if ip.sixtofour is not None:
        found.append(ip.sixtofour)
    return [*found, *(ip.teredo or ())]


def _is_public(ip: IpAddress) -> bool:
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _SPECIAL_IPV4)
    return ip in _GLOBAL_IPV6 and not any(ip in network for network in _SPECIAL_IPV6)


def allowed(ip: IpAddress, policy: str) -> bool:
    """Return True if an address policy (``public``, ``loopback`` or ``private``) allows to contact this address.

    An IPv6 address is refused where an IPv4 address in it is. Mapped and NAT64 addresses count as the IPv4 address.
    """
    if isinstance(ip, IPv6Address):
        if any(ip in network for network in _NEVER_IPV6) or not all(allowed(each, policy) for each in _embedded(ip)):
            return False
        if any(ip in network for network in _AS_IPV4):
            return True
    elif any(ip in network for network in _NEVER_IPV4):
        return False
    return policy == "private" or (policy == "loopback" and ip.is_loopback) or _is_public(ip)


def quoted(text: str) -> str:
    """Return untrusted text for a message: printable and at most `MAX_DETAIL` characters."""
    clean = "".join(c if c.isprintable() else "�" for c in text[: MAX_DETAIL + 1])
    return clean if len(clean) <= MAX_DETAIL else clean[: MAX_DETAIL - 1] + "…"


class AddressPolicy:
    """The address policy ``name`` of a client. One that ``narrows`` becomes ``public`` with the first public address.

    So a site whose name once led to a public address cannot lead to an address of this machine's network later.
    ``refused`` is the address that was refused last.
    """

    def __init__(self, name: str, *, narrows: bool = False) -> None:
        self.name = name
        self.refused: IpAddress | None = None
        self.narrows = narrows

    def accepts(self, ip: IpAddress) -> bool:
        """Return True if a socket to this address may be opened."""
        if not allowed(ip, self.name):
            self.refused = ip
            return False
        if self.narrows and allowed(ip, "public"):
            self.name = "public"
        return True


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as a server sent it: any status, headers with lowercase names, the body as it was transferred."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """A connection pool with one address policy. Thread-safe; closed by `close` or by garbage collection.

    ``addresses`` is ``public`` (globally routable only), ``loopback`` (also this machine) or ``private`` (all but
    link-local, multicast and cloud metadata addresses), or an `AddressPolicy`.
    """

    def __init__(self, addresses: str | AddressPolicy = "public") -> None:
        policy = addresses if isinstance(addresses, AddressPolicy) else AddressPolicy(addresses)
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(RESOLVER_THREADS, "knet-dns"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="knet-http", daemon=True)
        self._thread.start()
        self._session = self.run(_open_session(policy))
        self._finalize = weakref.finalize(self, _shut_down, self._loop, self._thread, self._session)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this client's loop and wait for it; interrupting the wait cancels it.

        Raises Unreachable when the client is closed before the work is done.
        """
        future = self._submit(work)
        try:
            return future.result()
        except CancelledError as error:
            raise Unreachable("the HttpClient was closed.") from error
        finally:
            future.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._loop.is_closed():
            work.close()
            raise Unreachable("the HttpClient is closed.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        max_bytes: int,
        body: bytes = b"",
        content_type: str = "",
        accept: str = "",
        authorization: str = "",
    ) -> bytes:
        """Return the body of a 2xx reply; may be awaited in any event loop.

        ``deadline`` is in seconds from now, for the whole request. A request on a kept-alive connection that is lost
        before the reply starts is sent once more, since every request of knet may be repeated.

        Raises Unreachable, DeadlineExceeded, TooLarge, AddressRefused (also for a redirect), or BadReply with
        ``status`` (401 and 403: access denied).
        """
        headers = {"Accept-Encoding": "identity", "Accept": accept or "*/*"}
        if content_type:
            headers["Content-Type"] = content_type
        if authorization:
            headers["Authorization"] = authorization
        work = self._fetch(url, deadline, lambda target: self._exchange(method, target, body, headers, max_bytes))
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(self._submit(work))

    def get(self, url: str, *, deadline: float, max_bytes: int, accept: str = "") -> bytes:
        """Fetch by GET, for callers without an event loop; see `fetch`."""
        return self.run(self.fetch("GET", url, deadline=deadline, max_bytes=max_bytes, accept=accept))

    def get_reply(self, url: str, *, deadline: float, max_bytes: int, accept: str = "") -> Reply:
        """Fetch by GET and return whatever the server sent, redirects and errors too; see `fetch`.

        For a source that its owner named; the address policy holds for each request.
        """
        headers = {"Accept-Encoding": "identity", "Accept": accept or "*/*"}
        return self.run(self._fetch(url, deadline, lambda target: self._receive(target, headers, max_bytes)))

    async def _fetch(self, url: str, deadline: float, exchange: Callable[[URL], Awaitable[T]]) -> T:
        target = _checked(url)
        try:
            async with asyncio.timeout(deadline):
                try:
                    return await exchange(target)
                except aiohttp.ClientConnectionError as error:
                    if isinstance(error, aiohttp.ClientConnectorError):
                        raise
                    return await exchange(target)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, KnetError):
                raise
            raise _translated(error, target, deadline) from error

    async def _exchange(self, method: str, url: URL, body: bytes, headers: dict[str, str], max_bytes: int) -> bytes:
        async with self._response(method, url, body, headers) as response:
            await _check_head(response, url)
            return await _read(response, url, max_bytes)

    async def _receive(self, url: URL, headers: dict[str, str], max_bytes: int) -> Reply:
        async with self._response("GET", url, b"", headers) as response:
            names = {name.lower() for name in response.headers}
            joined = {name: ", ".join(response.headers.getall(name)) for name in names}
            return Reply(response.status, joined, await _read(response, url, max_bytes))

    @asynccontextmanager
    async def _response(
        self, method: str, url: URL, body: bytes, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        request = self._session.request(method, url, data=body or None, headers=headers, allow_redirects=False)
        async with request as response:
            try:
                yield response
            except BaseException:
                response.close()  # unread bytes are still coming, so the connection cannot be reused
                raise

    def close(self) -> None:
        """Drop every connection and end the thread."""
        self._finalize()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Refused(PermissionError):
    """A refused address, as the OSError that the connector expects from a socket factory."""


async def _open_session(policy: AddressPolicy) -> aiohttp.ClientSession:
    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        ip = ip_address(info[4][0])
        if not policy.accepts(ip):
            raise _Refused(errno.EACCES, f"{ip} is outside the address policy {policy.name!r}")
        return socket.socket(info[0], info[1], info[2])

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS,
            limit_per_host=CONNECTIONS_PER_HOST,
            keepalive_timeout=KEEP_ALIVE,
            socket_factory=checked_socket,
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "knet"},
    )


def _shut_down(loop: asyncio.AbstractEventLoop, thread: threading.Thread, session: aiohttp.ClientSession) -> None:
    async def close() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await session.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(close(), loop)
    thread.join()
    loop.close()


def _checked(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError as error:
        raise AddressRefused(f"{quoted(url)} is not a URL: {error}.") from error
    if target.scheme not in ("http", "https") or not target.host or target.user or target.password:
        raise AddressRefused(f"{quoted(url)} is not a plain http or https URL.")
    return target


async def _check_head(response: aiohttp.ClientResponse, url: URL) -> None:
    if 300 <= response.status < 400:
        target = quoted(response.headers.get("Location", "nowhere"))
        raise AddressRefused(f"{url} redirects to {target}; redirects are not followed.")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise BadReply(f"{url} sent Content-Encoding {quoted(encoding)}, which was not asked for.")
    if not 200 <= response.status < 300:
        detail = await _problem(response, url)
        raise BadReply(f"{url} answered {response.status}: {detail}.", status=response.status)


async def _read(response: aiohttp.ClientResponse, url: URL, max_bytes: int) -> bytes:
    data = bytearray()
    if (response.content_length or 0) <= max_bytes:
        async for piece in response.content.iter_any():
            data += piece
            if len(data) > max_bytes:
                break
        else:
            return bytes(data)
    raise TooLarge(f"{url} sent more than {max_bytes} bytes.")


class _Problem(msgspec.Struct):
    """The quoted fields of an application/problem+json body (RFC 9457)."""

    title: Annotated[str, msgspec.Meta(max_length=MAX_PROBLEM)] = ""
    detail: Annotated[str, msgspec.Meta(max_length=MAX_PROBLEM)] = ""


async def _problem(response: aiohttp.ClientResponse, url: URL) -> str:
    reason = response.reason or "no reason given"
    if response.content_type == "application/problem+json":
        try:
            problem = from_json(await _read(response, url, MAX_PROBLEM), _Problem)
            reason = ": ".join(filter(None, (problem.title, problem.detail))) or reason
        except (CodecError, TooLarge):
            pass  # the status is reported without details
    return quoted(reason)


def _translated(error: Exception, url: URL, deadline: float) -> TransportError:
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{url} did not answer within {deadline:g} s.")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PermissionError):
        return AddressRefused(f"{url} was not contacted: {quoted(cause.strerror or str(cause))}.")
    if isinstance(cause, aiohttp.InvalidURL):
        return AddressRefused(f"{url} was not contacted: {quoted(str(cause))}.")
    if isinstance(cause, aiohttp.ClientResponseError | aiohttp.ClientPayloadError | ValueError):
        return BadReply(f"{url} broke off or does not speak HTTP: {quoted(str(cause))}.")
    return Unreachable(f"{url} cannot be reached: {quoted(str(cause) or type(cause).__name__)}.")
