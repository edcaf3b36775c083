"""Verified batches: the only ones that a client counts.

The chain takes the sums of a batch on trust and lets any account challenge them. A client that counted them would
believe any bonded account, with or without receipts, unless another account audits. So each client reads the leaves of
each batch once, checks all of them by the contract's rules, and remembers the result on disk.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

from ..chain.batches import Batch, Leaf
from ..chain.evm import EvmChain
from ..codec import cid_of
from ..sqlite import Database
from .audit import UNREADABLE, Finding, SourceOf, audit_leaves, find_duplicate
from .batch import fetch_leaves
from .rules import CLOCK_SKEW_SECONDS, VALIDITY_SECONDS, RatingRules

BATCHES_AT_ONCE = 16  # read at the same time in one pass
LEAVES_AT_ONCE = 20_000  # leaves checked in one pass, about three seconds; the other batches wait for the next
RETRY_SECONDS = 20.0  # after leaves could not be read; doubled each time
MAX_RETRY_SECONDS = 6 * 3600.0

SCHEMA = """
create table if not exists batches (key blob primary key, reason text not null);
create table if not exists receipts (
    receipt blob primary key, rater text not null, number integer not null, submitted integer not null
);
create index if not exists by_time on receipts (submitted);
"""


class BatchVerifier:
    """Results of checking batches of one deployment, kept in ``path``. Use from one thread at a time.

    ``source_of`` gives the blocks of a batch's leaves.
    """

    def __init__(self, chain: EvmChain, source_of: SourceOf, path: Path) -> None:
        """Raises StoreError."""
        self._chain = chain
        self._source_of = source_of
        self._database = Database(path, SCHEMA, version=1, hint="Move the file away: batches are then checked again.")
        self._reasons = {bytes(key): str(reason) for key, reason in self._database.query("select * from batches")}
        self._retry: dict[bytes, tuple[float, float]] = {}  # when to read a batch again, and the pause after that

    def verified(self, batches: Iterable[Batch]) -> list[Batch]:
        """Return the batches of which every leaf was read and is valid."""
        return [batch for batch in batches if self._reasons.get(_key(batch)) == ""]

    def check(self, batches: Sequence[Batch], first: str = "") -> list[Finding]:
        """Check some of the batches that were not checked yet: `BATCHES_AT_ONCE`, up to `LEAVES_AT_ONCE` leaves.

        Return what is wrong with them. Batches of the account ``first`` go first, then those of raters that had a valid
        batch before, then small ones. A batch whose leaves cannot be read is reported as withheld, and read again
        later. Raises ChainUnreachable and StoreError.
        """
        due = self._due(batches, first)
        if not due:
            return []
        active = {(each.rater, each.number): each for each in batches}
        rules = RatingRules(self._chain)
        with ThreadPoolExecutor(len(due), "knet-leaves") as pool:  # keepers that hang must not queue up
            read = list(pool.map(self._read, due))
        findings = [
            self._check(batch, found, rules, active) if isinstance(found, list) else self._postpone(batch, found)
            for batch, found in zip(due, read, strict=True)
        ]
        return [found for found in findings if found is not None]

    def _due(self, batches: Sequence[Batch], first: str) -> list[Batch]:
        unknown = [each for each in batches if _key(each) not in self._reasons]
        if not unknown:
            self._forget_receipts()
        now = time.monotonic()
        due = [each for each in unknown if self._retry.get(_key(each), (0.0, 0.0))[0] <= now]
        known = {each.rater for each in self.verified(batches)}
        due.sort(key=lambda each: (each.rater != first, each.rater not in known, each.size))
        sizes = accumulate(each.size for each in due)
        return [each for each, total in zip(due, sizes, strict=True) if total - each.size < LEAVES_AT_ONCE][
            :BATCHES_AT_ONCE
        ]

    def _read(self, batch: Batch) -> list[Leaf] | str:
        """Return the leaves, or the reason why they cannot be read."""
        try:
            return fetch_leaves(batch, self._source_of(batch))
        except UNREADABLE as error:
            return str(error)

    def _postpone(self, batch: Batch, reason: str) -> Finding:
        pause = self._retry.get(_key(batch), (0.0, RETRY_SECONDS))[1]
        self._retry[_key(batch)] = time.monotonic() + pause, min(2 * pause, MAX_RETRY_SECONDS)
        return Finding.withheld(batch, reason)

    def _check(
        self, batch: Batch, leaves: list[Leaf], rules: RatingRules, active: dict[tuple[str, int], Batch]
    ) -> Finding | None:
        found = audit_leaves(rules, batch, leaves) or self._used_before(batch, leaves, active)
        self._record(batch, leaves, "" if found is None else found.reason)
        return found

    def _used_before(self, batch: Batch, leaves: list[Leaf], active: dict[tuple[str, int], Batch]) -> Finding | None:
        """Return a receipt that an earlier batch used, with the proof where that batch can be read."""
        for leaf in leaves:
            for rater, number in self._database.query(
                "select rater, number from receipts where receipt = ?", _receipt(leaf)
            ):
                other = active.get((rater, number))
                if other is None or (rater, number) == (batch.rater, batch.number):
                    continue  # it was slashed: the receipt was not used in a batch that counts
                try:
                    theirs = fetch_leaves(other, self._source_of(other))
                except UNREADABLE:
                    theirs = []
                return find_duplicate(batch, leaves, other, theirs) or Finding(
                    batch=batch, kind="duplicate", reason=f"a receipt of batch {number} was used again", other=other
                )
        return None

    def _forget_receipts(self) -> None:
        """Delete receipts that have expired, once every batch that may have used them is checked."""
        oldest = self._chain.time() - 2 * (VALIDITY_SECONDS + CLOCK_SKEW_SECONDS)
        with self._database.transaction() as db:
            db.execute("delete from receipts where submitted < ?", (oldest,))

    def _record(self, batch: Batch, leaves: list[Leaf], reason: str) -> None:
        rows = [(_receipt(leaf), batch.rater, batch.number, batch.submitted_at) for leaf in leaves]
        with self._database.transaction() as db:
            db.execute("insert or replace into batches values (?, ?)", (_key(batch), reason))
            if not reason:
                db.executemany("insert or replace into receipts values (?, ?, ?, ?)", rows)
        self._reasons[_key(batch)] = reason


def _key(batch: Batch) -> bytes:
    """Return the digest of the checked data, which a reorganisation of the chain may change."""
    words = [delta.word.to_bytes(32, "big") for delta in batch.deltas]
    sent = f"{batch.rater} {batch.number} {batch.submitted_at} ".encode()
    return sha256(b"".join([sent, batch.root, batch.content.digest, *words])).digest()


def _receipt(leaf: Leaf) -> bytes:
    return cid_of(leaf.receipt.receipt).digest
