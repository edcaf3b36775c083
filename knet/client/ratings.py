"""A client's queued ratings: what they cost, and how they get on chain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..chain.devchain import fund
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..codec import Cid
from ..config import Profile
from ..content.base import BlockStore
from ..errors import KnetError
from ..rating.queue import RatingQueue
from ..rating.replication import LeafSources
from ..rating.responder import DisputeResponder
from ..rating.stake import ANY_WEI, Cost, cost_of
from ..records import Rating

log = logging.getLogger("knet")


class QueuedRatings:
    """Ratings that wait on this machine, as ``net.ratings``; `knet.client.network.Network.rate` queues them.

    ``stores`` keep the batches for others to find, ``leaves`` offers them to nodes; ``on_sent`` is called after ratings
    were sent.
    """

    def __init__(
        self,
        profile: Profile,
        chain: EvmChain,
        signer: Signer,
        queue: RatingQueue,
        stores: list[BlockStore],
        responder: DisputeResponder,
        leaves: LeafSources,
        on_sent: Callable[[], None],
    ) -> None:
        self._profile = profile
        self._chain = chain
        self._signer = signer
        self._queue = queue
        self._stores = stores
        self._responder = responder
        self._leaves = leaves
        self._on_sent = on_sent

    def pending(self) -> list[Rating]:
        """Return the ratings that are not on chain yet."""
        return self._queue.pending()

    def cost(self) -> Cost:
        """Return what `flush` takes now, at most. Raises ChainUnreachable."""
        return cost_of(self._chain, str(self._signer.address), self._queue.pending())

    def withdraw(self, receipt: Cid) -> None:
        """Remove a pending rating, by the CID of its receipt. Raises ConfigError when it is not pending."""
        self._queue.withdraw(receipt)

    def flush(self, *, bond: int = 0) -> list[str]:
        """Send pending ratings; return the transaction hashes.

        Ratings that cannot be sent stay pending; those that the contract would punish are named and dropped. ``bond``
        is the most wei to put up where stake is missing (`cost` says how much); a development chain needs none.
        Raises ChainUnreachable, TransactionFailed or ConfigError.
        """
        development = self._profile.addresses == "loopback"
        if self._queue.pending() and development:
            fund(self._profile.rpc, str(self._signer.address))
        self._responder.try_respond()
        sent = self._queue.flush(self._chain, self._signer, *self._stores, bond=ANY_WEI if development else bond)
        if sent:
            self._on_sent()
            self._replicate(sent)
        return sent

    def _replicate(self, transactions: Sequence[str]) -> None:
        """Have nodes keep what is behind these batches, so that they count while this machine is off."""
        try:
            for batch in self._chain.reliability.batches(str(self._signer.address)):
                if batch.transaction in transactions and not self._leaves.replicate(batch):
                    log.warning("no node keeps batch %d: it counts while this machine serves it", batch.number)
        except KnetError as error:
            log.warning("the ratings were sent, and no node keeps them: %s", error)
