"""A rater's promise: whoever doubts a batch is shown the leaf it asks for, or the bond is lost.

A demand leaves days, and nobody runs a command every day to see whether there is one. So whoever goes on asking or
rating keeps the promise by the way.
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

LOOK_SECONDS = 3600.0  # between two looks; a demand leaves four days
CLOSE_SECONDS = 60.0  # a few blocks

log = logging.getLogger("knet")


class DisputeResponder:
    """Of one rater; ``source`` holds the ratings behind its batches. Safe to use from several threads."""

    def __init__(self, chain: EvmChain, signer: Signer, source: BlockSource) -> None:
        self._chain = chain
        self._signer = signer
        self._source = source
        self._looked = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def respond(self) -> list[str]:
        """Reveal what was demanded: the transaction hashes. Raises as `respond_to_challenges`, and ChainUnreachable."""
        with self._lock:
            self._looked = time.monotonic()
            address, now = self._signer.address, self._chain.time()
            if now > self._chain.reliability.stake(address).free_at:
                return []  # no batch can be challenged any more, if there ever was one
            return respond_to_challenges(self._chain, self._signer, address, self._source, now)

    def respond_in_background(self) -> None:
        """The same in the background, unless that was done lately; what goes wrong is logged."""
        if not self._looked or time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._thread = threading.Thread(target=self.try_respond, daemon=True, name="knet-promises")
            self._thread.start()

    def close(self) -> None:
        """Wait for what is under way: a program that asks one question and ends keeps its promises, too."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def try_respond(self) -> None:
        """`keep`; what goes wrong is logged, and stands in the way of nothing else."""
        try:
            if revealed := self.respond():
                log.info("%d leaves of your batches were demanded, and revealed", len(revealed))
        except KnetError as error:
            log.warning("a leaf of your batches may have been demanded, and could not be revealed: %s", error)
