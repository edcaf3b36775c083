"""Copies of a batch's leaves at nodes, where auditors read them while the rater is offline.

A client offers each batch to the nodes that it rates, which know what they signed, and to a few others, so that nodes
that were rated badly cannot hide it. Which others follows from the batch's CID, so that an auditor asks the same nodes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from ..chain.batches import Batch
from ..codec import DAG_CBOR, Cid, decode, encode
from ..content.base import BlockSource, BlockStore
from ..content.gateway import GatewaySource
from ..content.layered import LayeredStore
from ..content.store import MemoryStore
from ..errors import BadReceipt, CodecError, ContentError, DeadlineExceeded, TransportError, Unreachable
from ..http import HttpClient
from ..limits import BlockBytes, Few, ShortBytes
from ..records import NodeEntry, Record
from ..routing.origins import Admission, OriginBudget
from .batch import RatingIndex, fetch_leaves

MAX_OFFER_BYTES = 2 << 20  # that a node takes in one request
MAX_OFFERED = 4_000  # ratings in a batch of this client: 1.5 MB
RATED_KEEPERS = 16  # rated nodes that keep a batch
OTHER_KEEPERS = 4  # further nodes: all of them have to be hostile or offline for a batch to be lost
OFFER_SECONDS = 10.0
LEAF_SECONDS = 3.0  # an auditor waits for one node's block; it asks several nodes at once
AT_ONCE = 20  # all keepers: hostile ones that hang must not queue up in front of the others
MEDIA_TYPE = "application/vnd.ipld.dag-cbor"

Entries = Callable[[], Mapping[int, NodeEntry]]  # of published nodes

log = logging.getLogger("knet")


class BatchOffer(Record, frozen=True, tag_field="type", tag="knet/batch-offer/1"):
    """All blocks of one batch that is on chain: the index and the runs of leaves, in order.

    ``block`` is the number of a chain block shortly before the batch, from which a node looks for it.
    """

    rater: ShortBytes  # 20 bytes
    block: int
    index: BlockBytes
    leaves: Few[BlockBytes]


def keepers(batch: Batch, nodes: Iterable[int]) -> list[int]:
    """Return the nodes, of those that are published, that should keep a batch: rated ones, then others."""
    ranked = sorted(nodes, key=lambda node: sha256(batch.content.digest + str(node).encode()).digest())
    rated = {delta.node for delta in batch.deltas}
    first = [node for node in ranked if node in rated][:RATED_KEEPERS]
    return [*first, *[node for node in ranked if node not in rated][:OTHER_KEEPERS]]


def make_offer(batch: Batch, source: BlockSource) -> BatchOffer:
    """Return the offer of a batch whose blocks ``source`` has. Raises as `BlockSource.get`, and CodecError."""
    index = source.get(batch.content)
    leaves = [source.get(cid) for cid in decode(index, RatingIndex).blocks]
    return BatchOffer(rater=bytes.fromhex(batch.rater[2:]), block=batch.block, index=index, leaves=leaves)


def read_offer(offer: BatchOffer) -> dict[Cid, bytes]:
    """Return the blocks of an offer, the index last. Raises CodecError unless they are exactly those of the index."""
    content = Cid.of(offer.index, DAG_CBOR)
    blocks = {Cid.of(block, DAG_CBOR): block for block in offer.leaves}
    if list(blocks) != decode(offer.index, RatingIndex).blocks or len(offer.rater) != 20:
        raise CodecError(f"the offer of batch {content} does not hold the blocks that its index names.")
    return {**blocks, content: offer.index}


def require_batch(content: Cid, blocks: Mapping[Cid, bytes], batches: Iterable[Batch]) -> Batch:
    """Return the batch on chain that the blocks are the leaves of. Raises CodecError where there is none."""
    batch = next((each for each in batches if each.content == content), None)
    if batch is None:
        raise CodecError(f"the rater has no batch with the content {content} on chain.")
    store = MemoryStore()
    for cid, block in blocks.items():
        store.put(block, cid.codec)
    try:
        fetch_leaves(batch, store)
    except (ContentError, BadReceipt) as error:
        raise CodecError(f"the offer does not hold the leaves of batch {batch.number} of {batch.rater}.") from error
    return batch


class LeafSources:
    """Sources of the leaves of all raters' batches: this client's store, keepers of the batch, and other sources."""

    def __init__(
        self,
        http: HttpClient,
        store: BlockStore,
        entries: Entries,
        *elsewhere: BlockSource,
        budget: OriginBudget | None = None,
    ) -> None:
        """``store`` keeps what is read; ``elsewhere``, such as IPFS gateways and Kubo, is asked after the keepers.

        ``budget`` bounds the requests to servers that have served no block yet.
        """
        self._http = http
        self._store = store
        self._entries = entries
        self._elsewhere = elsewhere
        self._budget = budget or OriginBudget(None)

    def of(self, batch: Batch) -> BlockSource:
        """Return the source of one batch's blocks, which keeps what it fetches."""
        admitted = self._admitted(batch)
        for entry in admitted:
            self._budget.settle(entry)
        urls = [entry.endpoint.rstrip("/") for entry in admitted]
        nodes = GatewaySource(self._http, urls, deadline=LEAF_SECONDS, at_once=AT_ONCE)
        return LayeredStore(self._store, nodes, *self._elsewhere)

    def replicate(self, batch: Batch) -> int:
        """Offer a batch to its keepers, all at once. Return how many took it; a node's failure is logged.

        Raises as `make_offer`.
        """
        body = encode(make_offer(batch, self._store))
        if len(body) > MAX_OFFER_BYTES:
            log.warning("batch %d is too large for nodes to keep: keep it on IPFS", batch.number)
            return 0
        return self._http.run(self._offer(self._admitted(batch), body))

    def _admitted(self, batch: Batch) -> list[NodeEntry]:
        """Return the keepers that may be contacted now: of nodes that have served no block, one for each server."""
        entries = {node: entry for node, entry in self._entries().items() if entry.endpoint}
        chosen = [entries[node] for node in keepers(batch, entries)]
        return [entry for entry in chosen if self._budget.admit(entry) is Admission.ADMITTED]

    async def _offer(self, entries: Sequence[NodeEntry], body: bytes) -> int:
        taken = await asyncio.gather(*(self._send(entry, body) for entry in entries))
        return sum(taken)

    async def _send(self, entry: NodeEntry, body: bytes) -> bool:
        url = f"{entry.endpoint.rstrip('/')}/v1/ratings"
        try:
            await self._http.fetch(
                "POST", url, deadline=OFFER_SECONDS, max_bytes=1 << 16, body=body, content_type=MEDIA_TYPE
            )
        except TransportError as error:
            log.info("%s does not keep this batch: %s", url, error)
            reached = not isinstance(error, Unreachable | DeadlineExceeded)
            self._budget.failed(entry, reason=str(error), reached=reached, strike=False)
            return False
        self._budget.settle(entry)
        return True
