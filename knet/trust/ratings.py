"""Ratings on their way to the chain: kept on disk until a transaction carries them, one verdict a receipt."""

from __future__ import annotations

import re
from pathlib import Path

from filelock import FileLock

from ..chain.base import Chain
from ..chain.keys import Signer
from ..codec import Cid, cid_of, from_json, to_json
from ..config import write_atomically
from ..errors import ConfigError, TransactionFailed
from ..records import Answer, Rating, Record, SignedReceipt
from .attribution import receipt_of, shares

BATCH = 50  # ratings a transaction: about 3 million gas, a tenth of an Ethereum block

# Errors of `Reliability.submit` that no waiting mends, with the index of the rating they are about.
_REFUSED = re.compile(
    r"(?:NotClient|ReceiptExpired|NoAgentWallet|SelfRating|ReceiptUsed|InvalidReceiptSignature)\(index=(\d+)"
)


class _Journal(Record, frozen=True):
    ratings: list[Rating] = []


class RatingQueue:
    """Verdicts not yet on chain. Rating the same receipt again replaces the earlier verdict; a crash loses nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"))

    def pending(self) -> list[Rating]:
        """What `flush` would submit."""
        if not self._path.exists():
            return []
        return from_json(self._path.read_bytes(), _Journal).ratings

    def rate(self, answer: Answer, value: float, *, passage: int | None = None) -> list[Rating]:
        """Queue a verdict from -1 (wrong) to 1 (right) on an answer, or on one passage (counted from 1).

        Raises ConfigError for a value out of range, an unknown passage, or when no node gave a receipt.
        """
        if not -1 <= value <= 1 or value == 0:
            raise ConfigError(f"a rating lies between -1 and 1 and is not 0: {value}.")
        parts = shares(answer) if passage is None else {receipt_of(answer, passage): 1.0}
        if not parts:
            raise ConfigError("this answer cites no passage with a receipt, so there is nobody to rate.")
        ratings = [
            Rating(receipt=answer.receipts[number].signed, value=_percent(value * share))
            for number, share in parts.items()
        ]
        with self._lock:
            kept = {_key(rating.receipt): rating for rating in self.pending()}
            kept |= {_key(rating.receipt): rating for rating in ratings}
            self._write(list(kept.values()))
        return ratings

    def flush(self, chain: Chain, signer: Signer) -> list[str]:
        """Submit everything in batches: the transaction hashes. What was not submitted stays queued.

        Receipts that are on chain already (a crash between sending and noting it) are dropped, not sent twice. So are
        ratings that the contract will never take, which must not hold up the others: TransactionFailed names them
        once the others are sent.
        """
        sent: list[str] = []
        refused: list[str] = []
        with self._lock:
            while batch := self.pending()[:BATCH]:
                rated = chain.rated([rating.receipt for rating in batch])
                fresh = [rating for rating, done in zip(batch, rated, strict=True) if not done]
                sent += _submit(chain, signer, fresh, refused)
                self._write(self.pending()[len(batch) :])
        if refused:
            raise TransactionFailed(
                f"{len(refused)} ratings were refused and dropped: {refused[0]}", hint=f"{len(sent)} batches were sent."
            )
        return sent

    def _write(self, ratings: list[Rating]) -> None:
        write_atomically(self._path, to_json(_Journal(ratings=ratings)).encode())


def _submit(chain: Chain, signer: Signer, ratings: list[Rating], refused: list[str]) -> list[str]:
    """Submit what the contract takes, and note why it refused the rest: the transaction's hash, if there was one."""
    while ratings:
        try:
            return [chain.submit(signer, ratings)]
        except TransactionFailed as error:
            named = _REFUSED.search(str(error))
            if named is None or int(named[1]) >= len(ratings):
                raise
            refused.append(str(error))
            ratings = [rating for index, rating in enumerate(ratings) if index != int(named[1])]
    return []


def _percent(value: float) -> int:
    """-100..100, never 0: the smallest share still counts."""
    return round(value * 100) or (1 if value > 0 else -1)


def _key(signed: SignedReceipt) -> Cid:
    return cid_of(signed.receipt)
