"""The queue of ratings: each rating reaches the chain once, in spite of crashes, broken connections and restores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.chain.reliability import Reliability
from knet.codec import cid_of
from knet.content.store import MemoryStore
from knet.errors import ChainUnreachable, ConfigError, TransactionPending
from knet.rating.audit import audit_batch
from knet.rating.batch import build_batch, fetch_leaves, fit_to_budget
from knet.rating.queue import CLOCK_ERROR_SECONDS, DEADLINE_SECONDS, RatingQueue
from knet.rating.stake import ANY_WEI, cost_of, missing_wei
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
from tests.chain.support import issue, new_receipt, rating
from tests.search.support import Owner

HEAD = Owner(1, ["a b c"]).head
SAMPLE = [(1, 1, 100), (2, 2, -5), (1, 3, -30)]  # node, nonce, rating


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


def answer(nonce: int = 0, signed: Sequence[SignedReceipt] = ()) -> Answer:
    """Return an answer of three sentences: two cite node 1, one cites node 2; passage 3 was found privately."""
    cites = [0, 0, 1]
    return Answer(
        question="q", found=True, text="t",
        sentences=[Sentence(text="t", citations=[Citation(passage=p, start=0, end=4, exact="text")]) for p in cites],
        passages=[passage(1, 0), passage(2, 1), passage(3, None)],
        nodes=[], receipts=[Evidence(signed=one, leaves=[]) for one in signed or [receipt(n, nonce) for n in (1, 2)]],
        requests=[], spaces=[], chain_id=1, contract="0x", time=1, milliseconds=1.0,
    )  # fmt: skip


class Party(NamedTuple):
    """Two nodes on a real chain, and a client that asked them."""

    chain: EvmChain
    rater: Signer
    owners: dict[int, Signer]

    def answer(self) -> Answer:
        """Return an answer that both nodes signed receipts for."""
        signed = [rating(owner, node, self.rater, self.chain.deployment).receipt for node, owner in self.owners.items()]
        return answer(signed=signed)

    def counts(self) -> list[int]:
        return [found.count for found in self.chain.reliability.scores(self.owners).values()]


class BrokenReliability(Reliability):
    """Contract over a connection that breaks around the submission of a batch."""

    submits = True

    def submit(self, *arguments: Any) -> str:
        if self.submits:
            super().submit(*arguments)
        raise ChainUnreachable("the connection broke.")


def broken(chain: EvmChain, *, before: bool) -> EvmChain:
    """Return the same chain over a connection that breaks before or after a batch is submitted."""
    copied = EvmChain(chain.rpc.web3.provider.endpoint_uri, chain.deployment)  # type: ignore[attr-defined]
    copied.reliability = BrokenReliability(copied.rpc, chain.deployment)
    copied.reliability.submits = not before
    return copied


@pytest.fixture
def party(chain: EvmChain, new_account: Callable[[], Signer]) -> Party:
    owners = [new_account(), new_account()]
    return Party(
        chain, new_account(), {chain.identity.register(owner, "http://127.0.0.1:1"): owner for owner in owners}
    )


@pytest.fixture
def queue(tmp_path: Path) -> RatingQueue:
    return RatingQueue(tmp_path / "ratings.json")


def test_rating_of_an_answer_is_shared_among_its_sources(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    rated = {r.receipt.receipt.node: r.value for r in queue.rate(answer(), 1)}
    assert rated == {1: 75, 2: 25}


def test_rating_of_a_passage_concerns_its_node_only(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    assert [(r.receipt.receipt.node, r.value) for r in queue.rate(answer(), -1, passage=2)] == [(2, -100)]


def test_last_rating_of_a_receipt_replaces_earlier_ones(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    queue.rate(answer(), 1, passage=1)
    queue.rate(answer(), -1, passage=1)
    assert [r.value for r in queue.pending()] == [-100]


def test_queued_rating_can_be_withdrawn(queue: RatingQueue) -> None:
    queue.rate(answer(), 1, passage=1)
    (kept,) = queue.rate(answer(), -1, passage=2)
    mistake = next(cid_of(r.receipt.receipt) for r in queue.pending() if r != kept)
    queue.withdraw(mistake)
    assert queue.pending() == [kept]
    with pytest.raises(ConfigError, match="No rating of this receipt waits"):
        queue.withdraw(mistake)


def test_flush_bonds_at_most_the_given_amount(party: Party, queue: RatingQueue) -> None:
    queue.rate(party.answer(), 1)
    asked = cost_of(party.chain, party.rater.address, queue.pending()).bond
    with pytest.raises(ConfigError, match="knet trust bond"):
        queue.flush(party.chain, party.rater, MemoryStore(), bond=asked - 1)
    assert party.chain.reliability.stake(party.rater.address).bond == 0
    assert len(queue.flush(party.chain, party.rater, MemoryStore(), bond=asked)) == 1
    assert party.chain.reliability.stake(party.rater.address).bond == asked


def test_queued_ratings_survive_a_restart_and_are_sent_in_one_batch(
    party: Party, queue: RatingQueue, tmp_path: Path
) -> None:
    for _ in range(5):
        queue.rate(party.answer(), 1)
    store = MemoryStore()
    again = RatingQueue(tmp_path / "ratings.json")
    assert len(again.flush(party.chain, party.rater, store, bond=ANY_WEI)) == 1
    assert again.pending() == []
    assert party.counts() == [5, 5]
    (batch,) = party.chain.reliability.batches(party.rater.address)
    assert len(fetch_leaves(batch, store)) == 10
    assert audit_batch(party.chain, store, batch) is None


def test_batch_accepted_over_a_broken_connection_is_not_sent_twice(party: Party, queue: RatingQueue) -> None:
    queue.rate(party.answer(), 1)
    with pytest.raises(ChainUnreachable):
        queue.flush(broken(party.chain, before=False), party.rater, MemoryStore(), bond=ANY_WEI)
    assert len(queue.pending()) == 2, "nothing is lost"
    assert queue.flush(party.chain, party.rater, MemoryStore()) == []
    assert party.counts() == [1, 1]
    assert queue.pending() == []


def test_batch_that_may_still_arrive_blocks_the_next_until_its_deadline(
    party: Party, queue: RatingQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.rate(party.answer(), 1)
    with pytest.raises(ChainUnreachable):
        queue.flush(broken(party.chain, before=True), party.rater, MemoryStore(), bond=ANY_WEI)
    with pytest.raises(TransactionPending, match="2 ratings was sent"):
        queue.flush(party.chain, party.rater, MemoryStore())
    later = time.time() + DEADLINE_SECONDS + CLOCK_ERROR_SECONDS + 60
    with monkeypatch.context() as patch:
        patch.setattr("knet.rating.queue.time.time", lambda: later)
        assert len(queue.flush(party.chain, party.rater, MemoryStore())) == 1
    assert party.counts() == [1, 1]


def test_restored_queue_drops_ratings_that_batches_carried(party: Party, tmp_path: Path) -> None:
    """A second machine with the same key has the same problem. A receipt in two batches would cost the bond."""
    store, rated = MemoryStore(), party.answer()
    RatingQueue(tmp_path / "lost.json").rate(rated, 1)
    first = RatingQueue(tmp_path / "lost.json")
    assert len(first.flush(party.chain, party.rater, store, bond=ANY_WEI)) == 1
    restored = RatingQueue(tmp_path / "restored.json")
    restored.rate(rated, 1)
    assert restored.flush(party.chain, party.rater, store, bond=ANY_WEI) == []
    assert restored.pending() == []
    assert party.counts() == [1, 1]
    with pytest.raises(ConfigError, match="the rating is on chain"):
        restored.rate(rated, -1)


def test_rating_that_may_be_in_an_unreadable_batch_waits(party: Party, tmp_path: Path) -> None:
    """The other machine has the same key, but neither the queue nor the blocks."""
    rated = party.answer()
    first = RatingQueue(tmp_path / "lost.json")
    first.rate(rated, 1)
    first.flush(party.chain, party.rater, MemoryStore(), bond=ANY_WEI)
    elsewhere = RatingQueue(tmp_path / "elsewhere.json")
    elsewhere.rate(rated, 1)
    for _ in range(2):
        with pytest.raises(ConfigError, match="sent from elsewhere"):
            elsewhere.flush(party.chain, party.rater, MemoryStore(), bond=ANY_WEI)
    assert len(elsewhere.pending()) == 2
    assert party.counts() == [1, 1]


def test_bond_requested_after_a_lost_one_covers_the_ratings(party: Party, queue: RatingQueue) -> None:
    for _ in range(12):  # more than the minimum bond buys
        queue.rate(party.answer(), 1)
    queue.flush(party.chain, party.rater, MemoryStore(), bond=ANY_WEI)
    stake = replace(party.chain.reliability.stake(party.rater.address), bond=0)
    queue.rate(party.answer(), 1)
    missing = missing_wei(stake, queue.pending())
    assert replace(stake, bond=missing).influence >= sum(abs(rating.value) for rating in queue.pending())
    assert replace(stake, bond=missing - 10**13).influence < sum(abs(rating.value) for rating in queue.pending())


def test_receipt_in_a_batch_cannot_be_rated_again(party: Party, queue: RatingQueue) -> None:
    """The contract would take the bond for it."""
    rated = party.answer()
    queue.rate(rated, 1)
    queue.flush(party.chain, party.rater, MemoryStore(), bond=ANY_WEI)
    with pytest.raises(ConfigError, match="the rating is on chain"):
        queue.rate(rated, -1)
    assert queue.flush(party.chain, party.rater, MemoryStore()) == []
    assert party.counts() == [1, 1]


def test_ratings_without_a_bond_wait_and_the_error_names_the_command(party: Party, queue: RatingQueue) -> None:
    queue.rate(party.answer(), 1)
    with pytest.raises(ConfigError, match=r"0 ether at stake.*knet trust bond 0\.01"):
        queue.flush(party.chain, party.rater, MemoryStore())
    assert len(queue.pending()) == 2
    party.chain.reliability.bond(party.rater, 10**16)
    assert len(queue.flush(party.chain, party.rater, MemoryStore())) == 1


def test_ratings_beyond_the_bond_wait_for_more_stake(party: Party, queue: RatingQueue) -> None:
    for _ in range(12):
        queue.rate(party.answer(), 1, passage=1)
    party.chain.reliability.bond(party.rater, 10**16)  # ten full ratings
    with pytest.raises(ConfigError, match=r"1 batches were sent; 2 ratings wait.*knet trust bond 0\.002"):
        queue.flush(party.chain, party.rater, MemoryStore())
    assert (party.counts(), len(queue.pending())) == ([10, 0], 2)
    party.chain.reliability.bond(party.rater, 2 * 10**15)
    assert len(queue.flush(party.chain, party.rater, MemoryStore())) == 1
    assert party.counts() == [12, 0]


def test_rating_of_a_future_receipt_waits(party: Party, queue: RatingQueue) -> None:
    """Clocks differ, and a rating must not be older than its receipt by the chain's clock."""
    (node, owner), *_ = party.owners.items()
    ahead = replace(new_receipt(node, party.rater.address), issued_at=int(time.time()) + 3600)
    queue.rate(answer(signed=[issue(owner, ahead, party.chain.deployment)] * 2), 1, passage=1)
    assert queue.flush(party.chain, party.rater, MemoryStore(), bond=ANY_WEI) == []
    assert len(queue.pending()) == 1


def test_batch_keeps_every_rating_and_sums_them_by_node() -> None:
    ratings = [Rating(receipt=receipt(node, nonce), value=value) for node, nonce, value in SAMPLE]
    folded = build_batch(ratings)
    assert [(d.node, d.positive, d.negative, d.count) for d in folded.deltas] == [(1, 100, 30, 2), (2, 0, 5, 1)]
    assert [(leaf.positive, leaf.negative) for leaf in folded.leaves] == [(100, 0), (100, 30), (0, 5)]
    assert folded.weight == 135
    assert [rating.value for rating in fit_to_budget(ratings, 106)] == [100, -5]


@pytest.mark.parametrize("value", [0, 2, -1.5, float("nan")])
def test_rating_out_of_range_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ConfigError, match="between -1 and 1"):
        RatingQueue(tmp_path / "ratings.json").rate(answer(), value)


def test_passage_without_a_receipt_cannot_be_rated(tmp_path: Path) -> None:
    queue = RatingQueue(tmp_path / "ratings.json")
    with pytest.raises(ConfigError, match="no receipt"):
        queue.rate(answer(), 1, passage=3)
    with pytest.raises(ConfigError, match="no passage 9"):
        queue.rate(answer(), 1, passage=9)
    with pytest.raises(ConfigError, match="no node to rate"):
        queue.rate(msgspec.structs.replace(answer(), sentences=[]), 1)
