"""Leaves of rating batches that a node keeps and serves, so that auditors can read a batch while its rater is offline.

Raters offer each batch to the nodes that it rates and to a few others. A node takes every batch that is on chain and
whose leaves give its root. It keeps invalid leaves too: auditors need them as a proof.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eth_utils.address import to_checksum_address
from fastapi import APIRouter, HTTPException, Request, Response

from knet.codec import DAG_CBOR, Cid
from knet.content.bounded import BoundedStore
from knet.errors import ChainError
from knet.rating.replication import MAX_OFFER_BYTES, BatchOffer, read_offer, require_batch

from ..node import Node
from . import negotiation as wire
from . import openapi

KEPT_BYTES = 256 << 20  # about 700,000 ratings
MAX_AGE_BLOCKS = 50_000  # an offer follows its batch; a search from an older block would read the chain for long


class RatingKeeper:
    """Store of the blocks of batches in ``ratings/`` of a node's folder; it drops the least recently used ones."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.store = BoundedStore(node.folder / "ratings", KEPT_BYTES)

    def has(self, cid: Cid) -> bool:
        return self.store.has(cid)

    def get(self, cid: Cid) -> bytes:
        """Return a kept block. Raises BlockNotFound, StoreError."""
        return self.store.get(cid)

    def take(self, offer: BatchOffer) -> None:
        """Keep the blocks of a batch. Raises CodecError for an offer that does not fit a batch on chain, ChainError."""
        content, blocks = Cid.of(offer.index, DAG_CBOR), read_offer(offer)
        if all(map(self.store.has, blocks)):
            return
        chain = self._node.chain
        if offer.block < chain.block_number() - MAX_AGE_BLOCKS:
            raise HTTPException(410, "This node takes leaves shortly after their batch only.")
        batches = chain.reliability.batches(to_checksum_address(offer.rater), since=offer.block)
        require_batch(content, blocks, batches)
        for cid, block in blocks.items():
            self.store.put(block, cid.codec)


def ratings_router(keeper: RatingKeeper, check_rate: Callable[[Request], None]) -> APIRouter:
    """Return the route ``POST /v1/ratings``; ``check_rate`` answers clients above their rate."""
    router = APIRouter()

    @router.post("/v1/ratings", **openapi.RATINGS)
    async def ratings(request: Request) -> Response:
        check_rate(request)
        encoding = wire.request_encoding(request)
        offer = wire.parse(await wire.read_body(request, MAX_OFFER_BYTES), BatchOffer, encoding)
        try:
            await asyncio.to_thread(keeper.take, offer)
        except ChainError as error:
            raise HTTPException(503, f"This node cannot read the chain now: {error}", {"Retry-After": "30"}) from error
        return Response("kept\n", media_type="text/plain")

    return router
