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
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from .errors import AddressRefused, BadReply, DeadlineExceeded, KnetError, TooLarge, TransportError, Unreachable

T = TypeVar("T")
IpAddress = IPv4Address | IPv6Address

KEEP_ALIVE = 30.0  # seconds; the next question within them reuses the connection
CONNECTIONS = 256  # all hosts together: a query goes to tens of nodes, and each may hang until its deadline
CONNECTIONS_PER_HOST = 16  # one slow host cannot use up the pool
RESOLVER_THREADS = 32  # getaddrinfo blocks a thread; nodes with dead name servers must not block the others
MAX_PROBLEM = 16 << 10  # bytes read of an error's body
MAX_DETAIL = 300  # characters quoted from another machine
_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = {ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")}  # AWS, Alibaba, Oracle


def _effective(ip: IpAddress) -> IpAddress:
    """Return the IPv4 address in an IPv6 address (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def allowed(ip: IpAddress, policy: str) -> bool:
    """Return True if an address policy (``public``, ``loopback`` or ``private``) allows to contact this address."""
    ip = _effective(ip)
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA:
        return False
    if policy == "private" or (policy == "loopback" and ip.is_loopback):
        return True
    return ip.is_global and not ip.is_reserved


def quoted(text: str) -> str:
    """Return untrusted text for a message: printable and at most `MAX_DETAIL` characters."""
    clean = "".join(c if c.isprintable() else "�" for c in text[: MAX_DETAIL + 1])
    return clean if len(clean) <= MAX_DETAIL else clean[: MAX_DETAIL - 1] + "…"


class HttpClient:
    """A connection pool with one address policy. Thread-safe; closed by `close` or by garbage collection.

    ``addresses`` is ``public`` (globally routable only), ``loopback`` (also this machine) or ``private`` (all but
    link-local, multicast and cloud metadata addresses).
    """

    def __init__(self, addresses: str = "public") -> None:
        self.addresses = addresses
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(RESOLVER_THREADS, "knet-dns"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="knet-http", daemon=True)
        self._thread.start()
        self._session = self.run(_open_session(addresses))
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
        work = self._fetch(method, url, body, headers, deadline, max_bytes)
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(self._submit(work))

    def get(self, url: str, *, deadline: float, max_bytes: int, accept: str = "") -> bytes:
        """Fetch by GET, for callers without an event loop; see `fetch`."""
        return self.run(self.fetch("GET", url, deadline=deadline, max_bytes=max_bytes, accept=accept))

    async def _fetch(
        self, method: str, url: str, body: bytes, headers: dict[str, str], deadline: float, max_bytes: int
    ) -> bytes:
        target = _checked(url)
        try:
            async with asyncio.timeout(deadline):
                try:
                    return await self._exchange(method, target, body, headers, max_bytes)
                except aiohttp.ClientConnectionError as error:
                    if isinstance(error, aiohttp.ClientConnectorError):
                        raise
                    return await self._exchange(method, target, body, headers, max_bytes)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, KnetError):
                raise
            raise _translated(error, target, deadline) from error

    async def _exchange(self, method: str, url: URL, body: bytes, headers: dict[str, str], max_bytes: int) -> bytes:
        request = self._session.request(method, url, data=body or None, headers=headers, allow_redirects=False)
        async with request as response:
            try:
                await _check_head(response, url)
                return await _read(response, url, max_bytes)
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


async def _open_session(addresses: str) -> aiohttp.ClientSession:
    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        ip = ip_address(info[4][0])
        if not allowed(ip, addresses):
            raise _Refused(errno.EACCES, f"{ip} is outside the address policy {addresses!r}")
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

    title: str = ""
    detail: str = ""


async def _problem(response: aiohttp.ClientResponse, url: URL) -> str:
    reason = response.reason or "no reason given"
    if response.content_type == "application/problem+json":
        try:
            problem = msgspec.json.decode(await _read(response, url, MAX_PROBLEM), type=_Problem)
            reason = ": ".join(filter(None, (problem.title, problem.detail))) or reason
        except (msgspec.MsgspecError, TooLarge):
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
