"""Unattended audits of rating batches: challenges within a budget, and responses for raters that are offline."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..chain.batches import Batch
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..chain.reliability import AVAILABILITY_FEE, WINDOW_SECONDS
from ..content.base import BlockSource
from ..errors import KnetError, TransactionFailed, TransactionPending
from ..sqlite import Database
from .audit import Finding, challenge
from .disputes import follow_up, respond_to_challenges

CHALLENGE_GAS = 250_000  # a leaf of 64 costs 140,000 (contracts/snapshots), an availability challenge less
BUDGET_SECONDS = 7 * 86_400
MAX_CHALLENGES = 8  # of one pass, so that a flood of wrong batches does not hold up everything else

SCHEMA = """
create table if not exists spending (time integer not null, wei integer not null);
create table if not exists challenged (key text primary key);
"""

log = logging.getLogger("knet")


class Auditor:
    """Acts on findings with one account. ``budget`` is the most wei that it spends in a week on gas and fees.

    A fee comes back where no account responds; a proven fault earns half of the rater's bond. Use from one thread.
    """

    def __init__(self, chain: EvmChain, signer: Signer, budget: int, path: Path) -> None:
        """Raises StoreError."""
        self._chain = chain
        self._signer = signer
        self._budget = budget
        self._database = Database(path, SCHEMA, version=1, hint="Move the file away to start over.")

    def act(self, findings: Sequence[Finding], concerns: Callable[[Batch], bool]) -> list[str]:
        """Challenge what is provably wrong, and have withheld leaves published where a batch ``concerns`` the account.

        Return the transactions. What another account did first is passed over. Raises ChainUnreachable.
        """
        sent: list[str] = []
        now = self._chain.time()
        for found in findings:
            if len(sent) == MAX_CHALLENGES:
                break
            if self._is_worth_it(found, now, concerns):
                sent += self._challenge(found)
        return sent

    def act_quietly(self, findings: Sequence[Finding]) -> None:
        """Challenge what is provably wrong in any batch; failures are logged."""
        try:
            self.act(findings, lambda batch: False)
        except KnetError as error:
            log.warning("a batch of ratings is wrong, and was not challenged: %s", error)

    def keep_up(self, source: BlockSource) -> list[str]:
        """Respond to availability challenges of batches that ``source`` holds, and close this account's challenges.

        Return the transactions. Raises ChainUnreachable.
        """
        now = self._chain.time()
        return [
            *respond_to_challenges(self._chain, self._signer, None, source, now),
            *follow_up(self._chain, self._signer, now),
        ]

    def _is_worth_it(self, found: Finding, now: int, concerns: Callable[[Batch], bool]) -> bool:
        batch = found.batch
        known = self._database.query("select 1 from challenged where key = ?", _key(batch))
        if known or now > batch.submitted_at + WINDOW_SECONDS or not self._chain.reliability.is_active(batch):
            return False
        if found.kind == "withheld":
            return concerns(batch)
        earned = self._chain.reliability.stake(batch.rater).bond // 2
        return bool(found.proofs) and earned > CHALLENGE_GAS * self._chain.gas_price()

    def _challenge(self, found: Finding) -> list[str]:
        cost = CHALLENGE_GAS * self._chain.gas_price()
        cost += AVAILABILITY_FEE if found.kind == "withheld" else 0
        start = int(time.time()) - BUDGET_SECONDS
        spent = self._database.query("select coalesce(sum(wei), 0) from spending where time > ?", start)[0][0]
        if spent + cost > self._budget:
            log.warning("the budget of audits is spent: batch %s is not challenged", _key(found.batch))
            return []
        with self._database.transaction() as db:
            db.execute("insert into spending values (?, ?)", (int(time.time()), cost))
            db.execute("insert or ignore into challenged values (?)", (_key(found.batch),))
        try:
            return [challenge(self._chain, self._signer, found)]
        except TransactionPending:
            return []  # it is taken up again with the next transaction
        except TransactionFailed as error:
            log.info("batch %d of %s was not challenged: %s", found.batch.number, found.batch.rater, error)
            return []


def _key(batch: Batch) -> str:
    return f"{batch.rater} {batch.number} {batch.root.hex()}"
