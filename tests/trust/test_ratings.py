"""Verdicts reach the chain once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from knet.chain.keys import Signer, new_key
from knet.codec import cid_of
from knet.errors import ChainUnreachable, ConfigError
from knet.records import (
    Answer,
    Citation,
    Evidence,
    Passage,
    Provenance,
    Rating,
    Receipt,
    Reputation,
    Sentence,
    SignedReceipt,
)
from knet.trust.ratings import BATCH, RatingQueue
from tests.query.support import Owner

HEAD = Owner(1, ["a b c"]).head


def receipt(node: int, nonce: int = 0) -> SignedReceipt:
    return SignedReceipt(
        receipt=Receipt(
            node=node, manifest=b"m" * 32, query=b"q" * 32, results=b"r" * 32, client=b"c" * 20, issued_at=1,
            nonce=nonce.to_bytes(32, "big"),
        ),
        signature=b"s" * 65,
    )  # fmt: skip


def passage(node: int, index: int | None) -> Passage:
    return Passage(
        text="text", start=0, end=4, title="", uri="u", score=1.0, scores={}, reliability=Reputation(),
        provenance=Provenance(
            node=node, manifest=HEAD, document=HEAD, shard=0, chunk=0, path=[], vector=b"", receipt=index
        ),
    )  # fmt: skip


def answer(nonce: int = 0) -> Answer:
    """Three sentences: two rest on node 1, one on node 2; passage 3 was found privately."""
    cites = [0, 0, 1]
    return Answer(
        question="q", found=True, text="t",
        sentences=[Sentence(text="t", citations=[Citation(passage=p, start=0, end=4, exact="text")]) for p in cites],
        passages=[passage(1, 0), passage(2, 1), passage(3, None)],
        nodes=[], receipts=[Evidence(signed=receipt(n, nonce), leaves=[]) for n in (1, 2)],
        requests=[], spaces=[], chain_id=1, contract="0x", time=1, milliseconds=1.0,
    )  # fmt: skip


class Ledger:
    """The part of a chain that ratings touch. ``broken`` makes it lose the connection after taking a batch."""

    def __init__(self) -> None:
        self.taken: list[Rating] = []
        self.broken = False

    def rated(self, receipts: Sequence[SignedReceipt]) -> list[bool]:
        done = {cid_of(rating.receipt.receipt) for rating in self.taken}
        return [cid_of(signed.receipt) in done for signed in receipts]

    def submit(self, signer: Signer, ratings: Sequence[Rating]) -> str:
        self.taken += ratings
        if self.broken:
            raise ChainUnreachable("the connection broke after sending.")
        return f"0x{len(self.taken)}"


def test_a_verdict_on_an_answer_falls_on_its_sources_by_their_share(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    rated = {r.receipt.receipt.node: r.value for r in queue.rate(answer(), 1)}
    assert rated == {1: 67, 2: 33}


def test_a_verdict_on_a_passage_falls_on_its_node_alone(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    assert [(r.receipt.receipt.node, r.value) for r in queue.rate(answer(), -1, passage=2)] == [(2, -100)]


def test_the_last_verdict_on_a_receipt_counts(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    queue.rate(answer(), 1, passage=1)
    queue.rate(answer(), -1, passage=1)
    assert [r.value for r in queue.pending()] == [-100]


def test_ratings_survive_a_restart_and_go_out_in_batches(tmp_path: Path) -> None:
    for nonce in range(BATCH + 3):
        RatingQueue(tmp_path / "ratings.json").rate(answer(nonce), 1, passage=1)
    ledger = Ledger()
    sent = RatingQueue(tmp_path / "ratings.json").flush(ledger, new_key())  # type: ignore[arg-type]
    assert len(sent) == 2
    assert len(ledger.taken) == BATCH + 3
    assert RatingQueue(tmp_path / "ratings.json").pending() == []


def test_a_batch_that_was_taken_though_the_connection_broke_is_not_sent_twice(tmp_path: Path) -> None:
    queue, ledger = RatingQueue(tmp_path / "ratings.json"), Ledger()
    queue.rate(answer(), 1)
    ledger.broken = True
    with pytest.raises(ChainUnreachable):
        queue.flush(ledger, new_key())  # type: ignore[arg-type]
    assert len(queue.pending()) == 2, "nothing is lost"
    ledger.broken = False
    assert queue.flush(ledger, new_key()) == []  # type: ignore[arg-type]
    assert len(ledger.taken) == 2
    assert queue.pending() == []


@pytest.mark.parametrize("value", [0, 2, -1.5, float("nan")])
def test_a_verdict_out_of_range_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ConfigError, match="between -1 and 1"):
        RatingQueue(tmp_path / "ratings.json").rate(answer(), value)


def test_what_has_no_receipt_cannot_be_rated(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    with pytest.raises(ConfigError, match="no receipt"):
        queue.rate(answer(), 1, passage=3)
    with pytest.raises(ConfigError, match="no passage 9"):
        queue.rate(answer(), 1, passage=9)
    with pytest.raises(ConfigError, match="nobody to rate"):
        queue.rate(msgspec.structs.replace(answer(), sentences=[]), 1)
