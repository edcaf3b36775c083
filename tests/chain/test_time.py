"""Decay of scores, end of bonds, and deadlines of challenges, on a chain whose clock can be moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from knet.chain.anvil import find_anvil
from knet.chain.devchain import fund, start_network, stop_network
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.chain.reliability import WINDOW_SECONDS
from knet.content.store import MemoryStore
from knet.errors import TransactionFailed
from knet.rating.audit import audit_batch, challenge
from knet.rating.disputes import follow_up
from knet.records import Rating
from tests.conftest import NO_ANVIL

from .support import STAKE, issue, new_receipt, rating, submit

pytestmark = [pytest.mark.chain, pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)]
ENDPOINT = "http://127.0.0.1:8080"
DAY, WEEK = 86_400, 7 * 86_400
Wait = Callable[[int], None]


@pytest.fixture
def lone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EvmChain]:
    """Chain of one test, which may move its clock."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    profile = start_network("time", default=False)
    yield EvmChain(profile.rpc, profile.deployment)
    stop_network("time")


@pytest.fixture
def wait(lone: EvmChain) -> Wait:
    def until_later(seconds: int) -> None:
        lone.rpc.request("evm_increaseTime", [seconds])
        lone.rpc.request("evm_mine", [])

    return until_later


def account(chain: EvmChain) -> Signer:
    key = new_key()
    fund(chain.rpc.web3.provider.endpoint_uri, key.address)  # type: ignore[attr-defined]
    return key


def test_scores_decay_each_epoch(lone: EvmChain, wait: Wait) -> None:
    owner, rater = account(lone), account(lone)
    node = lone.identity.register(owner, ENDPOINT)
    submit(lone, rater, [rating(owner, node, rater, lone.deployment, value) for value in (100, 100, -100)])
    fresh = lone.reliability.scores([node])[node]
    wait(WEEK)
    later = lone.reliability.scores([node])[node]
    assert (fresh.positive, fresh.negative, fresh.count) == (2.0, 1.0, 3)
    assert (later.positive, later.negative, later.count) == (1.93, 0.96, 3), "3 % less, rounded down"
    wait(22 * WEEK)
    old = lone.reliability.scores([node])[node]
    assert old.positive == pytest.approx(1.0, abs=0.02), "half of the weight is left after 23 weeks"
    assert old.deviation > fresh.deviation, "older ratings carry less evidence"


def test_bond_is_released_after_the_challenge_window(lone: EvmChain, wait: Wait) -> None:
    owner, rater = account(lone), account(lone)
    node = lone.identity.register(owner, ENDPOINT)
    batch = submit(lone, rater, [rating(owner, node, rater, lone.deployment)])
    wait(WINDOW_SECONDS - 60)
    with pytest.raises(TransactionFailed, match="BondLocked"):
        lone.reliability.unbond(rater, STAKE)
    wait(120)
    lone.reliability.unbond(rater, STAKE)
    assert lone.reliability.stake(rater.address).bond == 0
    assert lone.reliability.is_active(batch)


def test_offline_rater_keeps_its_bond_when_no_account_publishes_its_leaves(lone: EvmChain, wait: Wait) -> None:
    """Threat model: auditor, availability challenges of honest raters that are offline."""
    owner, rater, auditor = (account(lone) for _ in range(3))
    node = lone.identity.register(owner, ENDPOINT)
    batch = submit(lone, rater, [rating(owner, node, rater, lone.deployment)])
    finding = audit_batch(lone, MemoryStore(), batch)
    assert finding is not None
    challenge(lone, auditor, finding)
    before = lone.rpc.web3.eth.get_balance(auditor.address)
    wait(4 * DAY + 60)
    assert len(follow_up(lone, auditor, lone.time())) == 1
    assert not lone.reliability.is_active(batch)
    assert (rater.address, batch.number) in lone.reliability.removed()
    assert lone.reliability.scores([node])[node].count == 0
    assert lone.rpc.web3.eth.get_balance(auditor.address) > before, "the fee came back"
    assert lone.reliability.reward(auditor.address).amount == 0
    assert lone.reliability.stake(rater.address).bond == STAKE
    wait(6 * DAY)
    lone.reliability.unbond(rater, STAKE)


def test_auditor_of_a_wrong_leaf_is_paid_in_the_next_epoch(lone: EvmChain, wait: Wait) -> None:
    owner, rater, auditor = (account(lone) for _ in range(3))
    node = lone.identity.register(owner, ENDPOINT)
    stolen = issue(owner, new_receipt(node, owner.address), lone.deployment)
    store = MemoryStore()
    batch = submit(lone, rater, [Rating(receipt=stolen, value=100)], store)
    finding = audit_batch(lone, store, batch)
    assert finding is not None
    challenge(lone, auditor, finding)
    reward = lone.reliability.reward(auditor.address)
    assert reward.amount == STAKE // 2
    with pytest.raises(TransactionFailed, match="RewardLocked"):
        lone.reliability.claim(auditor)
    wait(reward.free_at - lone.time() + 60)
    before = lone.rpc.web3.eth.get_balance(auditor.address)
    lone.reliability.claim(auditor)
    assert lone.rpc.web3.eth.get_balance(auditor.address) - before > STAKE // 2 - 10**16
    assert not lone.reliability.is_active(batch)
    assert lone.reliability.scores([node])[node].count == 0
    assert lone.reliability.stake(rater.address).bond == 0
