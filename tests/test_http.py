"""The HTTP client against hostile servers: deadlines, limits, addresses and errors."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from knet.errors import AddressRefused, BadReply, DeadlineExceeded, TooLarge, TransportError, Unreachable
from knet.http import MAX_DETAIL, HttpClient, allowed

Behaviour = Callable[[socket.socket], None]
NOT_PUBLIC = [  # of the IANA special-purpose registries, and private IPv4 addresses in IPv6 ones
    "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "192.0.0.9",
    "198.18.0.1", "203.0.113.1", "240.1.1.1",
    "fec0::1", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "100:0:0:1::1", "2001:db8::1", "2001:2::1", "2001:20::1",
    "2620:4f:8000::1", "4000::1", "64:ff9b:1::a01:203", "2001:0:909:909::f5fe:fdfc", "2002:a01:203::1", "::10.1.2.3",
    "::ffff:0:10.1.2.3", "2620:fe::5efe:a01:203", "2620:fe::200:5efe:a01:203", "::ffff:10.1.2.3", "::9.9.9.9",
    "2002:909:909::1", "64:ff9b:1:a01:2:300::",
]  # fmt: skip
NEVER = [  # metadata services and the like, in every form
    "168.63.129.16", "100.100.100.200", "192.0.0.192", "0.1.2.3", "255.255.255.255", "::ffff:168.63.129.16",
    "64:ff9b::168.63.129.16", "2002:a83f:8110::1", "::168.63.129.16", "::ffff:0:169.254.169.254",
    "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2620:fe::5efe:a9fe:a9fe", "2001:0:909:909::5601:5601",
    "2001:0:a9fe:a9fe::f6f6:f6f6", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "fd00:ec2::23", "::0.0.0.0",
]  # fmt: skip
PATIENT = 30.0  # seconds: a deadline that only a broken client reaches
SHORT = 0.3
LIMIT = 10_000
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # SO_LINGER on, 0 s: close() sends RST


@contextmanager
def serving(behave: Behaviour) -> Iterator[str]:
    """Run a TCP server on loopback that calls ``behave`` with each connection after it has read a request."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(0.1)
            while not over.is_set():
                try:
                    if not connection.recv(65536):
                        return
                    behave(connection)
                except TimeoutError:
                    continue
                except OSError:
                    return

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def drip(connection: socket.socket) -> None:
    connection.sendall(reply(b"", Content_Length="1000"))
    while True:
        connection.sendall(b"x")
        threading.Event().wait(0.02)


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + bytes(0x1000) + b"\r\n")


def endless_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 4000 + b"\r\n")


def reset_mid_body(connection: socket.socket) -> None:
    connection.sendall(reply(b"half of it", Content_Length="1000"))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def says(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def wait_a_second(_: socket.socket) -> None:
    threading.Event().wait(1)


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient("loopback") as client:
        yield client


@pytest.mark.parametrize(
    ("behave", "deadline", "expected"),
    [
        pytest.param(lambda connection: None, SHORT, DeadlineExceeded, id="hangs"),
        pytest.param(drip, SHORT, DeadlineExceeded, id="drips one byte at a time"),
        pytest.param(flood, PATIENT, TooLarge, id="never ends"),
        pytest.param(endless_header, PATIENT, BadReply, id="sends headers for ever"),
        pytest.param(says(reply(bytes(LIMIT + 1))), PATIENT, TooLarge, id="is larger than allowed"),
        pytest.param(says(reply(b"", Content_Length=str(10**12))), PATIENT, TooLarge, id="announces a terabyte"),
        pytest.param(
            says(reply(gzip.compress(bytes(10**7)), Content_Encoding="gzip")), PATIENT, BadReply, id="is a gzip bomb"
        ),
        pytest.param(
            says(reply(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data")),
            PATIENT,
            AddressRefused,
            id="redirects to the metadata service",
        ),
        pytest.param(says(reply(b"", "304 Not Modified")), PATIENT, AddressRefused, id="answers 304 out of turn"),
        pytest.param(reset_mid_body, PATIENT, BadReply, id="resets half way"),
        pytest.param(hang_up, PATIENT, Unreachable, id="hangs up"),
        pytest.param(says(b"220 mail.example ESMTP ready\r\n"), PATIENT, BadReply, id="speaks another protocol"),
        pytest.param(says(b"\x00\xff" * 5000), PATIENT, BadReply, id="sends noise"),
    ],
)
def test_hostile_server_raises_the_matching_error(
    client: HttpClient, behave: Behaviour, deadline: float, expected: type[TransportError]
) -> None:
    with serving(behave) as url, pytest.raises(expected) as caught:
        client.get(url, deadline=deadline, max_bytes=LIMIT)
    assert type(caught.value) is expected
    assert url in str(caught.value)


def test_redirect_error_names_the_target(client: HttpClient) -> None:
    with (
        serving(says(reply(b"", "301 Moved", Location="http://169.254.169.254/x"))) as url,
        pytest.raises(AddressRefused, match=r"169\.254\.169\.254/x"),
    ):
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)


def test_refused_connection_is_unreachable(client: HttpClient) -> None:
    with serving(hang_up) as url:
        pass
    with pytest.raises(Unreachable):
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)


def test_unknown_host_name_is_unreachable(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(Unreachable, match="not known"):
        client.get("http://no.such.node/", deadline=PATIENT, max_bytes=LIMIT)


# --- which addresses may be contacted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "policies"),
    [
        ("9.9.9.9", {"public", "loopback", "private"}),
        ("2620:fe::fe", {"public", "loopback", "private"}),
        ("127.0.0.1", {"loopback", "private"}),
        ("::1", {"loopback", "private"}),
        ("::ffff:127.0.0.1", {"loopback", "private"}),
        ("10.1.2.3", {"private"}),
        ("192.168.1.1", {"private"}),
        ("100.64.0.1", {"private"}),
        ("fd12:3456::1", {"private"}),
        ("64:ff9b::10.1.2.3", {"private"}),
        ("169.254.169.254", set()),
        ("::ffff:169.254.169.254", set()),
        ("64:ff9b::169.254.169.254", set()),
        ("2002:a9fe:a9fe::1", set()),
        ("fe80::1%eth0", set()),
        ("fd00:ec2::254", set()),
        ("224.0.0.1", set()),
        ("ff02::1", set()),
        ("0.0.0.0", set()),
        ("::", set()),
        *((address, {"private"}) for address in NOT_PUBLIC),
        *((address, set()) for address in NEVER),
        ("64:ff9b::9.9.9.9", {"public", "loopback", "private"}),
        ("::ffff:9.9.9.9", {"public", "loopback", "private"}),
    ],
)
def test_address_policy_decides_on_each_address(address: str, policies: set[str]) -> None:
    """Threat model: node, an endpoint or redirect to an internal address."""
    assert {policy for policy in ("public", "loopback", "private") if allowed(ip_address(address), policy)} == policies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_loopback_is_not_public(host: str) -> None:
    with HttpClient("public") as client, pytest.raises(AddressRefused):
        client.get(f"http://{host}:9/", deadline=PATIENT, max_bytes=LIMIT)


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["10.0.0.1", "192.168.0.1"], ["::1", "127.0.0.1"]])
def test_name_that_resolves_to_a_private_address_is_refused(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the policy applies to the address of the socket, regardless of earlier checks."""

    def rebound(_host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        families = {4: (socket.AF_INET, ()), 6: (socket.AF_INET6, (0, 0))}
        found = [(answer, *families[ip_address(answer).version]) for answer in answers]
        return [(family, socket.SOCK_STREAM, 6, "", (ip, port, *rest)) for ip, family, rest in found]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with HttpClient("public") as client, pytest.raises(AddressRefused, match="policy 'public'"):
        client.get("http://node.example:9/", deadline=PATIENT, max_bytes=LIMIT)


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "file:///etc/passwd", "http://user:secret@127.0.0.1/", "http://", "127.0.0.1", "http://[x"],
)
def test_only_plain_http_urls_are_contacted(client: HttpClient, url: str) -> None:
    with pytest.raises(AddressRefused):
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)


# --- what a reply says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oops"])
def test_error_status_is_kept(client: HttpClient, status: str) -> None:
    with serving(says(reply(b"secret <b>page</b>", status))) as url, pytest.raises(BadReply) as caught:
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)
    assert caught.value.status == int(status[:3])
    assert "secret" not in str(caught.value)


def test_problem_detail_is_quoted_short_and_printable(client: HttpClient) -> None:
    body = b'{"title": "Busy", "detail": "\\u001b[2J%s"}' % (b"y" * 5000)
    problem = reply(body, "503 Service Unavailable", Content_Type="application/problem+json")
    with serving(says(problem)) as url, pytest.raises(BadReply, match="Busy: ") as caught:
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < MAX_DETAIL + 100


@pytest.mark.parametrize("body", [b"[1, 2]", b"{", b'{"title": 7}', b"x" * 100_000])
def test_malformed_problem_document_leaves_the_status(client: HttpClient, body: bytes) -> None:
    problem = reply(body, "403 Forbidden", Content_Type="application/problem+json")
    with serving(says(problem)) as url, pytest.raises(BadReply, match="answered 403: Forbidden"):
        client.get(url, deadline=PATIENT, max_bytes=LIMIT)


def test_connections_are_reused_and_replaced_when_lost(client: HttpClient) -> None:
    ports = []

    def twice(connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        if ports.count(ports[-1]) == 3:
            return hang_up(connection)  # an idle connection the server has had enough of
        connection.sendall(reply(b"hello"))

    async def ask(url: str) -> bytes:
        return await client.fetch("POST", url, body=b"?", deadline=PATIENT, max_bytes=LIMIT)

    with serving(twice) as url:
        assert [client.run(ask(url)) for _ in range(3)] == [b"hello"] * 3
    assert len(ports) == 4
    assert len(set(ports)) == 2


# --- loops and threads ---------------------------------------------------------------------------------------------


async def test_fetch_works_from_any_event_loop(client: HttpClient) -> None:
    with serving(says(reply(b"hello"))) as url:
        both = await asyncio.gather(
            *(client.fetch("GET", url, deadline=PATIENT, max_bytes=LIMIT) for _ in range(2)),
            asyncio.to_thread(client.get, url, deadline=PATIENT, max_bytes=LIMIT),
        )
    assert both == [b"hello"] * 3


def test_synchronous_caller_runs_requests_concurrently(client: HttpClient) -> None:
    async def ask(url: str) -> list[bytes]:
        return await asyncio.gather(
            *(client.fetch("GET", url, deadline=PATIENT, max_bytes=LIMIT) for _ in range(20)),
        )

    with serving(says(reply(b"hello"))) as url:
        assert client.run(ask(url)) == [b"hello"] * 20


def test_deadline_covers_an_unread_upload(client: HttpClient) -> None:
    async def upload(url: str) -> bytes:
        return await client.fetch("POST", url, body=bytes(1_000_000), deadline=SHORT, max_bytes=LIMIT)

    with serving(wait_a_second) as url, pytest.raises(DeadlineExceeded):
        client.run(upload(url))


def test_close_cancels_running_requests() -> None:
    client = HttpClient("loopback")
    asked = threading.Event()

    def close_once_asked() -> None:
        asked.wait()
        client.close()

    with serving(lambda connection: asked.set()) as url:
        closer = threading.Thread(target=close_once_asked)
        closer.start()
        with pytest.raises(Unreachable, match="closed"):
            client.get(url, deadline=PATIENT, max_bytes=LIMIT)
        closer.join()
        with pytest.raises(Unreachable, match="closed"):
            client.get(url, deadline=PATIENT, max_bytes=LIMIT)
    client.close()


def test_client_without_references_ends_its_thread() -> None:
    client = HttpClient()
    thread = client._thread
    del client
    thread.join(PATIENT)
    assert not thread.is_alive()


def test_unawaited_exception_is_logged(client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    async def lose() -> None:
        asyncio.ensure_future(asyncio.sleep(-1, ValueError("lost"))).add_done_callback(_raise)

    def _raise(_: object) -> None:
        raise ValueError("an exception without a caller")

    with caplog.at_level(logging.ERROR):
        client.run(lose())
        client.close()
    assert "an exception without a caller" in caplog.text
