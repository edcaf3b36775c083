"""Batches count for a client only once it has read and checked every leaf."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.chain.batches import Batch
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.content.store import MemoryStore
from knet.rating.batch import build_batch
from knet.rating.verification import BatchVerifier
from tests.chain.support import rating, send, submit


class World:
    """A node, a rater and the blocks that a client can read."""

    def __init__(self, chain: EvmChain, new_account: Callable[[], Signer], path: Path) -> None:
        self.chain = chain
        self.owner, self.rater, self.other = new_account(), new_account(), new_account()
        self.node = chain.identity.register(self.owner, "http://127.0.0.1:1")
        self.readable, self.hidden = MemoryStore(), MemoryStore()
        self.path = path

    def verifier(self) -> BatchVerifier:
        return BatchVerifier(self.chain, lambda batch: self.readable, self.path)

    def batches(self) -> list[Batch]:
        return self.chain.reliability.batches(self.rater.address)


@pytest.fixture
def world(chain: EvmChain, new_account: Callable[[], Signer], tmp_path: Path) -> World:
    return World(chain, new_account, tmp_path / "batches.db")


def test_honest_batch_counts_and_is_checked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = submit(world.chain, world.rater, [rating(world.owner, world.node, world.rater, world.chain.deployment)],
                   world.readable)  # fmt: skip
    verifier = world.verifier()
    assert verifier.verified([batch]) == []
    assert verifier.check([batch]) == []
    assert verifier.verified([batch]) == [batch]
    monkeypatch.setattr("knet.rating.verification.fetch_leaves", pytest.fail)
    again = world.verifier()
    assert again.check([batch]) == []
    assert again.verified([batch]) == [batch]
    moved = replace(batch, submitted_at=batch.submitted_at + 1)
    assert again.verified([moved]) == [], "after a reorganisation it is another batch"


def test_random_bytes_never_count(world: World) -> None:
    """Threat model: rater, a batch of random bytes, with no receipt."""
    forged = build_batch([rating(world.rater, world.node, world.rater, world.chain.deployment, -100)])
    batch = send(world.chain, world.rater, replace(forged, root=b"\x07" * 32))
    verifier = world.verifier()
    (found,) = verifier.check([batch])
    assert (found.kind, verifier.verified([batch])) == ("withheld", [])
    assert verifier.check([batch]) == [], "it is read again later"


def test_withheld_batch_counts_once_its_leaves_can_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = submit(world.chain, world.rater, [rating(world.owner, world.node, world.rater, world.chain.deployment)],
                   world.hidden)  # fmt: skip
    verifier = world.verifier()
    assert [found.kind for found in verifier.check([batch])] == ["withheld"]
    world.readable = world.hidden
    later = time.monotonic() + 3600
    monkeypatch.setattr("knet.rating.verification.time.monotonic", lambda: later)
    assert verifier.check([batch]) == []
    assert verifier.verified([batch]) == [batch]


@pytest.mark.parametrize("signer", ["rater", "other"])
def test_batch_without_a_receipt_of_the_node_never_counts(world: World, signer: str) -> None:
    """Threat model: rater, a rating without a question."""
    forged = rating(getattr(world, signer), world.node, world.rater, world.chain.deployment, -100)
    good = rating(world.owner, world.node, world.rater, world.chain.deployment)
    batch = submit(world.chain, world.rater, [good, forged], world.readable)
    verifier = world.verifier()
    (found,) = verifier.check([batch])
    assert found.kind == "leaf"
    assert found.proofs
    assert verifier.verified([batch]) == [], "one wrong leaf among right ones"
    assert world.verifier().verified([batch]) == []


def test_receipt_in_two_batches_counts_once(world: World) -> None:
    """Threat model: rater, the same receipt twice."""
    used = rating(world.owner, world.node, world.rater, world.chain.deployment)
    first = submit(world.chain, world.rater, [used], world.readable)
    verifier = world.verifier()
    assert verifier.check([first]) == []
    second = submit(world.chain, world.rater, [used, rating(world.owner, world.node, world.rater,
                                                            world.chain.deployment)], world.readable)  # fmt: skip
    third = submit(world.chain, world.rater, [used], world.readable)
    found = verifier.check([first, second, third])
    assert [each.kind for each in found] == ["duplicate", "duplicate"]
    assert all(each.proofs for each in found)
    assert verifier.verified([first, second, third]) == [first]


def test_sums_that_leaves_do_not_bear_out_never_count(world: World) -> None:
    """Threat model: rater, sums that differ from its ratings."""
    folded = build_batch([rating(world.owner, world.node, world.rater, world.chain.deployment, 1) for _ in range(3)])
    lie = replace(folded, deltas=[replace(folded.deltas[0], positive=300)])
    world.chain.reliability.checkpoint(world.rater, [world.node])
    batch = send(world.chain, world.rater, lie, world.readable)
    verifier = world.verifier()
    assert [found.kind for found in verifier.check([batch])] == ["leaf"]
    assert verifier.verified([batch]) == []


def test_flood_of_unreadable_batches_does_not_hold_up_known_raters(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knet.rating.verification.BATCHES_AT_ONCE", 2)
    own = [rating(world.owner, world.node, world.rater, world.chain.deployment) for _ in range(3)]
    verifier = world.verifier()
    first = submit(world.chain, world.rater, own[:1], world.readable)
    assert verifier.check([first]) == []
    flood = [
        send(world.chain, world.other, build_batch([rating(world.other, world.node, world.other,
                                                           world.chain.deployment)]))
        for _ in range(4)
    ]  # fmt: skip
    second = submit(world.chain, world.rater, own[1:], world.readable)
    verifier.check([first, *flood, second])
    assert verifier.verified([first, *flood, second]) == [first, second]
