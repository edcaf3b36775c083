"""A fair share for everybody: token buckets by client address, in memory that no number of clients can fill."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MAX_CLIENTS = 10_000  # about 2 MB; who was away longest is forgotten first, which only ever gives tokens back
HOST_BITS = 64  # of an IPv6 address: who has one has the whole /64


class TokenBuckets:
    """``rate`` tokens a second for each client, at most ``burst`` at once. For one thread."""

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        clients: int = MAX_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clients = clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when that was

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Take one token: 0, or the seconds until there is one."""
        left = self._left(client)
        if left < 1:
            return (1 - left) / self._rate
        self.borrow(client, 1)
        return 0.0

    def borrow(self, client: str, tokens: float) -> float:
        """Take tokens whether they are there or not: the seconds until nothing is owed any more, to be waited.

        Owing nothing costs nothing to ask (``tokens`` 0).
        """
        left = self._left(client) - tokens
        self._buckets[client] = (left, self._clock())
        return max(0.0, -left / self._rate)

    def _left(self, client: str) -> float:
        """A client's tokens, brought up to now; nobody has asked more lately than it."""
        now = self._clock()
        left, then = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        self._buckets[client] = (left, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return left


def client_key(host: str) -> str:
    """What counts as one client: an IPv4 address or an IPv6 /64; empty for this machine itself."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return ""
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> HOST_BITS << HOST_BITS)}/{128 - HOST_BITS}"
    return str(address)
