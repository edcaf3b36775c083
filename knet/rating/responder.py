"""Background responder to availability challenges, which keeps a rater's batches from being voided.

A rater has four days to respond. So a client that asks or rates also looks for challenges, in the background.
"""

from __future__ import annotations

import logging
import threading
import time

from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..content.base import BlockSource
from ..errors import KnetError
from .disputes import respond_to_challenges

POLL_SECONDS = 3600.0  # between two polls; a challenge leaves four days
CLOSE_SECONDS = 60.0  # a few blocks

log = logging.getLogger("knet")


class DisputeResponder:
    """Responder of one rater; ``source`` holds the ratings of its batches. Safe to use from several threads."""

    def __init__(self, chain: EvmChain, signer: Signer, source: BlockSource) -> None:
        self._chain = chain
        self._signer = signer
        self._source = source
        self._polled = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def respond(self) -> list[str]:
        """Respond to open challenges and return the transaction hashes.

        Raises as `respond_to_challenges`, and ChainUnreachable.
        """
        with self._lock:
            self._polled = time.monotonic()
            address, now = self._signer.address, self._chain.time()
            if now > self._chain.reliability.stake(address).free_at:
                return []  # there is no batch that can still be challenged
            return respond_to_challenges(self._chain, self._signer, address, self._source, now)

    def respond_in_background(self) -> None:
        """Respond in a background thread, unless the last poll is recent; log errors."""
        if not self._polled or time.monotonic() - self._polled > POLL_SECONDS:
            self._polled = time.monotonic()
            self._thread = threading.Thread(target=self.try_respond, daemon=True, name="knet-responder")
            self._thread.start()

    def close(self) -> None:
        """Wait for a response under way, so that a program that asks one question and ends responds, too."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def try_respond(self) -> None:
        """Respond as `respond` does, but log errors instead of raising them."""
        try:
            if transactions := self.respond():
                log.info("responded to %d availability challenges of your batches", len(transactions))
        except KnetError as error:
            log.warning("responding to availability challenges of your batches failed: %s", error)
