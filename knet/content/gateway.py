"""Block source over IPFS trustless gateways (https://specs.ipfs.tech/http-gateways/trustless-gateway/)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from ..codec import MAX_BLOCK, Cid
from ..errors import BadReply, BlockNotFound, ContentError, TransportError
from ..http import HttpClient
from .layered import first_found

RAW_TYPE = "application/vnd.ipld.raw"
DEADLINE = 10.0  # seconds for each gateway; 1 MiB at 1 Mbit/s takes 8


class GatewaySource:
    """Block source that queries gateways in turn, or ``at_once`` in parallel, and checks every block.

    ``urls`` are their roots, without ``/ipfs``.
    """

    def __init__(
        self, client: HttpClient, urls: Sequence[str], *, deadline: float = DEADLINE, at_once: int = 1
    ) -> None:
        self.gateways = [_Gateway(client, url.rstrip("/"), deadline) for url in urls]
        self.at_once = at_once

    def get(self, cid: Cid) -> bytes:
        """Return the block, checked. Raises BlockNotFound, BlockTampered or a TransportError."""
        if self.at_once == 1:
            return first_found(cid, self.gateways)
        last = max(self.gateways, key=lambda gateway: gateway.served, default=None)
        if last is not None and last.served:  # it most likely has this block too
            with suppress(ContentError, TransportError):
                return last.get(cid)
        return first_found(cid, self.gateways, self.at_once)

    def has(self, cid: Cid) -> bool:
        """Return False: a gateway is another machine."""
        return False


class _Gateway:
    def __init__(self, client: HttpClient, url: str, deadline: float) -> None:
        self.client = client
        self.url = url
        self.deadline = deadline
        self.served = 0.0  # time of the last block from here; 0 for never

    def get(self, cid: Cid) -> bytes:
        url = f"{self.url}/ipfs/{cid}?format=raw"
        try:
            data = cid.check(self.client.get(url, deadline=self.deadline, max_bytes=MAX_BLOCK, accept=RAW_TYPE))
        except BadReply as error:
            if error.status in (404, 410):
                raise BlockNotFound(f"{self.url} does not have block {cid}.") from error
            raise
        self.served = time.monotonic()
        return data

    def has(self, cid: Cid) -> bool:
        return False
