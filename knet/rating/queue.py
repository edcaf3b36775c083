"""Queue of ratings on disk until a batch carries them to the chain. Each receipt is rated in at most one batch."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from filelock import FileLock
from msgspec.structs import replace

from ..answer.writer import Writer
from ..chain.evm import EvmChain
from ..chain.keys import Signer
from ..codec import Cid, cid_of, from_json, to_json
from ..content.base import BlockSource, BlockStore
from ..content.layered import FallbackSource
from ..errors import (
    BadReceipt,
    ChainUnreachable,
    CodecError,
    ConfigError,
    ContentError,
    TransactionFailed,
    TransactionPending,
    TransportError,
)
from ..files import make_folder, write_atomically
from ..records import Answer, Rating, Record, SignedReceipt
from .attribution import credit, receipt_of
from .batch import build_batch, fetch_leaves, fit_to_budget, publish_batch
from .prevalidate import chain_time, prevalidate
from .rules import CLOCK_SKEW_SECONDS, VALIDITY_SECONDS
from .stake import ensure_stake, waiting_for_influence

DEADLINE_SECONDS = 600  # a batch that is not included by then never is, and its ratings may be sent again
CLOCK_ERROR_SECONDS = 3600  # this machine's clock may be ahead of an idle chain by so much
STEP = (
    25  # of published values: finer shares of an answer would tell a reader which of some guessed questions it answers
)
REORG_BLOCKS = 12  # a reorganisation may move a batch by so many blocks

log = logging.getLogger("knet")


class _Sent(Record, frozen=True):
    """Batch that was sent and is not known to be on chain."""

    root: bytes
    deadline: int
    block: int  # no earlier block holds the batch
    receipts: list[str]


class _Journal(Record, frozen=True):
    ratings: list[Rating] = []
    used: dict[str, int] = {}  # receipts that a batch carried -> time of issue (unix seconds)
    sent: _Sent | None = None
    batches: list[str] = []  # roots of the recent batches on chain whose receipts are in ``used``


class RatingQueue:
    """Ratings not yet on chain. Rating a receipt again replaces the earlier rating until a batch carries it.

    A crash loses no rating and sends none twice, since the same receipt in two batches would cost the bond.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        make_folder(path.parent)
        self._lock = FileLock(path.with_suffix(".lock"), mode=0o600)

    def pending(self) -> list[Rating]:
        """Return the ratings that `flush` would submit."""
        return self._read().ratings

    def rate(
        self, answer: Answer, value: float, *, passage: int | None = None, writer: Writer | None = None
    ) -> list[Rating]:
        """Queue a rating from -1 (wrong) to 1 (right) of an answer, shared out by `knet.rating.attribution.credit`, or
        of one passage (counted from 1).

        Raises ConfigError for a value out of range, an unknown passage, when no node gave a receipt, or when the
        receipts were used for ratings before.
        """
        if not -1 <= value <= 1 or value == 0:
            raise ConfigError(f"A rating lies between -1 and 1 and is not 0: {value}.")
        parts = credit(answer, writer) if passage is None else {receipt_of(answer, passage): 1.0}
        if not parts:
            raise ConfigError("This answer cites no passage with a receipt, so there is no node to rate.")
        given = [
            Rating(receipt=answer.receipts[number].signed, value=_percent(value * share))
            for number, share in parts.items()
        ]
        with self._lock:
            journal = self._read()
            ratings = [rating for rating in given if _key(rating.receipt) not in _carried(journal)]
            if not ratings:
                raise ConfigError("This was rated before, and the rating is on chain.", hint="Ask again to rate again.")
            kept = {_key(rating.receipt): rating for rating in (*journal.ratings, *ratings)}
            self._write(replace(journal, ratings=list(kept.values())))
        return ratings

    def withdraw(self, receipt: Cid) -> None:
        """Remove a queued rating, by the CID of its receipt. Raises ConfigError when the queue does not hold it."""
        with self._lock:
            journal = self._read()
            if str(receipt) in _carried(journal):
                raise ConfigError("This rating is on its way to the chain and cannot be withdrawn.")
            left = [rating for rating in journal.ratings if _key(rating.receipt) != str(receipt)]
            if len(left) == len(journal.ratings):
                raise ConfigError("No rating of this receipt waits.")
            self._write(replace(journal, ratings=left))

    def flush(
        self, chain: EvmChain, signer: Signer, store: BlockStore, *stores: BlockStore, bond: int = 0
    ) -> list[str]:
        """Build batches of all ratings, keep their leaves in the stores, and submit. Returns the transaction hashes.

        ``bond`` is the most wei to put up where stake is missing; where more is missing, none is put up. Ratings that
        were not submitted stay queued. Ratings that the contract would punish are dropped. Once the others are sent,
        TransactionFailed names the dropped ones. Raises TransactionPending while an earlier batch may still arrive,
        and ConfigError when more has to be at stake.
        """
        transactions: list[str] = []
        refused: list[str] = []
        blind: list[Rating] = []
        with self._lock:
            self._settle(chain, signer.address)
            unseen = self._recall(chain, signer.address, FallbackSource(store, *stores))
            while pending := self.pending():
                now = chain_time(chain)
                blind = [rating for rating in pending if rating.receipt.receipt.issued_at <= unseen]
                seen = [rating for rating in pending if rating.receipt.receipt.issued_at > unseen]
                admitted = prevalidate(chain, signer, seen, now + DEADLINE_SECONDS)
                influence, put_up = 0, 0
                if admitted.ratings:  # raises before ratings are dropped, so that the caller learns the reason
                    influence, put_up = ensure_stake(chain, signer, admitted.ratings, bond=bond)
                bond -= put_up
                refused += admitted.refused
                self._write(replace(self._read(), ratings=admitted.ratings + admitted.waiting + blind))
                if not admitted.ratings:
                    break
                chosen = fit_to_budget(admitted.ratings, influence)
                if not chosen:
                    raise waiting_for_influence(chain, signer.address, admitted.ratings, len(transactions))
                transactions.append(self._send(chain, signer, chosen, now + DEADLINE_SECONDS, (store, *stores)))
        if refused:
            raise TransactionFailed(
                f"{len(refused)} ratings were refused and dropped: {refused[0]}.",
                hint=f"{len(transactions)} batches were sent.",
            )
        if blind:
            raise _sent_from_elsewhere(len(blind), len(transactions))
        return transactions

    def _send(
        self, chain: EvmChain, signer: Signer, ratings: list[Rating], deadline: int, stores: tuple[BlockStore, ...]
    ) -> str:
        batch = build_batch(ratings)
        for store in stores:
            publish_batch(batch, store)
        keys = [_key(rating.receipt) for rating in ratings]
        sent = _Sent(root=batch.root, deadline=deadline, block=chain.block_number(), receipts=keys)
        self._write(replace(self._read(), sent=sent))
        try:
            transaction = chain.reliability.submit(signer, batch.root, batch.content, batch.deltas, deadline)
        except (TransactionPending, ChainUnreachable):
            raise  # the batch may arrive, which `_settle` finds out
        except TransactionFailed:
            self._write(replace(self._read(), sent=None))
            raise
        self._arrived(sent)
        return transaction

    def _settle(self, chain: EvmChain, rater: str) -> None:
        """Look up a batch on chain that was sent before a crash or a broken connection."""
        sent = self._read().sent
        if sent is None:
            return
        settled = chain.confirmed_block()  # read first, so that the list below holds every batch up to this block
        now = chain.time(settled)
        found = [
            b for b in chain.reliability.batches(rater, since=max(0, sent.block - REORG_BLOCKS)) if b.root == sent.root
        ]
        if any(batch.block <= settled for batch in found):
            self._arrived(sent)
        elif not found and (now > sent.deadline or time.time() > sent.deadline + CLOCK_ERROR_SECONDS):
            self._write(replace(self._read(), sent=None))
        else:
            raise TransactionPending(
                f"A batch of {len(sent.receipts)} ratings was sent and is not on chain yet.",
                hint=f"Try again later; if it does not arrive in {DEADLINE_SECONDS // 60} minutes, it is sent again.",
            )

    def _recall(self, chain: EvmChain, rater: str, source: BlockSource) -> int:
        """Read the receipts of batches that this queue does not know: sent from another machine, or since the backup
        that the queue was restored from. Rating with one of them again would cost the bond.

        Returns a time (unix seconds): receipts issued until then may be in batches that cannot be read.
        """
        journal = self._read()
        since = chain.time() - VALIDITY_SECONDS - CLOCK_ERROR_SECONDS
        recent = [batch for batch in chain.reliability.batches(rater) if batch.submitted_at >= since]
        used: dict[str, int] = {}
        unseen = 0
        known = set(journal.batches)
        for batch in recent:
            if batch.root.hex() in known:
                continue
            try:
                leaves = fetch_leaves(batch, source)
            except (ContentError, CodecError, BadReceipt, TransportError) as error:
                log.warning("Batch %d was sent from elsewhere, and its ratings are not known: %s", batch.number, error)
                unseen = max(unseen, batch.submitted_at + CLOCK_SKEW_SECONDS)
                continue
            known.add(batch.root.hex())
            used |= {_key(leaf.receipt): leaf.receipt.receipt.issued_at for leaf in leaves}
        left = [rating for rating in journal.ratings if _key(rating.receipt) not in used]
        roots = [batch.root.hex() for batch in recent if batch.root.hex() in known]
        self._write(replace(journal, ratings=left, used=journal.used | used, batches=roots))
        return unseen

    def _arrived(self, sent: _Sent) -> None:
        journal, carried = self._read(), set(sent.receipts)
        used = {_key(r.receipt): r.receipt.receipt.issued_at for r in journal.ratings if _key(r.receipt) in carried}
        newest = max([*journal.used.values(), *used.values()], default=0)
        known = {key: issued for key, issued in journal.used.items() if issued > newest - 2 * VALIDITY_SECONDS}
        left = [rating for rating in journal.ratings if _key(rating.receipt) not in carried]
        self._write(_Journal(ratings=left, used=known | used, batches=[*journal.batches, sent.root.hex()]))

    def _read(self) -> _Journal:
        return from_json(self._path.read_bytes(), _Journal) if self._path.exists() else _Journal()

    def _write(self, journal: _Journal) -> None:
        write_atomically(self._path, to_json(journal).encode())


def _carried(journal: _Journal) -> set[str]:
    """Return the receipts that a batch carries or may carry."""
    return {*journal.used, *(journal.sent.receipts if journal.sent else ())}


def _percent(value: float) -> int:
    """Return a multiple of `STEP` from -100 to 100, never 0: the smallest share still counts."""
    return STEP * round(value * 100 / STEP) or (STEP if value > 0 else -STEP)


def _sent_from_elsewhere(waiting: int, sent: int) -> ConfigError:
    return ConfigError(
        f"{sent} batches were sent; {waiting} ratings wait: their answers are older than a batch of this key that was "
        "sent from elsewhere and cannot be read, and rating with one receipt twice costs the bond.",
        hint="Ask again and rate the new answers, or copy `blocks` from the machine that sent it.",
    )


def _key(signed: SignedReceipt) -> str:
    key: Cid = cid_of(signed.receipt)
    return str(key)
