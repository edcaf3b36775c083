"""Rate limits by client address: token buckets in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MAX_CLIENTS = 10_000  # about 2 MB; the longest idle is forgotten first, which only ever gives tokens back
HOST_BITS = 64  # of an IPv6 address: one client has a whole /64


class TokenBuckets:
    """Token buckets of ``rate`` tokens a second for each client, at most ``burst`` at once. For one thread."""

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
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and the time of that count

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Take one token and return 0, or return the seconds until there is one."""
        left = self._left(client)
        if left < 1:
            return (1 - left) / self._rate
        self.borrow(client, 1)
        return 0.0

    def borrow(self, client: str, tokens: float) -> float:
        """Take tokens in advance and return the seconds to wait until none is owed.

        ``tokens`` 0 asks without a charge.
        """
        left = self._left(client) - tokens
        self._buckets[client] = (left, self._clock())
        return max(0.0, -left / self._rate)

    def _left(self, client: str) -> float:
        """Return a client's tokens now, and mark it as the latest."""
        now = self._clock()
        left, then = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        self._buckets[client] = (left, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return left


def client_key(host: str) -> str:
    """Return the key of a client: an IPv4 address or an IPv6 /64, ``""`` for this machine itself."""
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
