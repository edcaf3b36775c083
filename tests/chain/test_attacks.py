"""What liars try on chain, and what stops each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from knet.chain.base import Deployment
from knet.chain.deploy import deploy
from knet.chain.evm import VALIDITY_SECONDS, EvmChain
from knet.chain.keys import Signer
from knet.chain.receipts import sign_receipt
from knet.codec import DAG_CBOR, Cid
from knet.config import Profile
from knet.errors import TransactionFailed
from knet.records import Rating, Reputation

from .support import issue, new_receipt, rating

NewAccount = Callable[[], Signer]
ENDPOINT = "http://127.0.0.1:8080"
MANIFEST = Cid.of(b"manifest", DAG_CBOR)


class World(NamedTuple):
    """An honest node, its client, and somebody with other plans."""

    chain: EvmChain
    deployment: Deployment
    owner: Signer
    client: Signer
    stranger: Signer
    node: int

    def refuses(self, sender: Signer, item: Rating, error: str) -> None:
        before = self.chain.reputations([self.node])
        with pytest.raises(TransactionFailed, match=error):
            self.chain.submit(sender, [item])
        assert self.chain.reputations([self.node]) == before

    def rating(self, value: int = 100) -> Rating:
        return rating(self.owner, self.node, self.client, self.deployment, value)


@pytest.fixture
def world(chain: EvmChain, new_account: NewAccount) -> World:
    owner = new_account()
    node = chain.register(owner, ENDPOINT)
    return World(chain, chain.deployment, owner, new_account(), new_account(), node)


def test_rater_who_was_not_asked_signs_the_receipt_itself(world: World) -> None:
    forged = rating(world.stranger, world.node, world.client, world.deployment)
    world.refuses(world.client, forged, r"InvalidReceiptSignature\(index=0")


def test_rater_uses_a_receipt_that_another_node_signed(world: World) -> None:
    other = world.chain.register(world.stranger, ENDPOINT)
    theirs = issue(world.stranger, new_receipt(other, world.client.address), world.deployment)
    moved = replace(theirs, receipt=replace(theirs.receipt, node=world.node))
    world.refuses(world.client, Rating(receipt=moved, value=-100), "InvalidReceiptSignature")


def test_rater_replays_a_receipt(world: World) -> None:
    first = world.rating()
    world.chain.submit(world.client, [first])
    world.refuses(world.client, first, "ReceiptUsed")
    world.refuses(world.client, replace(first, value=-100), "ReceiptUsed")
    assert world.chain.reputations([world.node])[world.node] == Reputation(positive=1.0, count=1)


def test_rater_doubles_a_receipt_in_one_batch(world: World) -> None:
    first = world.rating()
    with pytest.raises(TransactionFailed, match=r"ReceiptUsed\(index=2"):
        world.chain.submit(world.client, [first, world.rating(), first])
    assert world.chain.rated([first.receipt]) == [False]


def test_rater_takes_a_receipt_from_the_pool_and_sends_it_as_its_own(world: World) -> None:
    seen = world.rating()
    world.refuses(world.stranger, replace(seen, value=-100), "NotClient")
    receipt = replace(seen.receipt.receipt, client=bytes.fromhex(world.stranger.address[2:]))
    renamed = replace(seen.receipt, receipt=receipt)
    world.refuses(world.stranger, Rating(receipt=renamed, value=-100), "InvalidReceiptSignature")


def test_rater_replays_a_receipt_of_another_network(world: World, devnet: Profile, new_account: NewAccount) -> None:
    elsewhere = deploy(devnet.rpc, new_account())
    receipt = new_receipt(world.node, world.client.address)
    for deployment in (elsewhere, replace(world.deployment, chain_id=1)):
        signed = sign_receipt(world.owner, receipt, deployment.chain_id, deployment.reliability)
        world.refuses(world.client, Rating(receipt=signed, value=100), "InvalidReceiptSignature")


def test_node_rates_itself(world: World) -> None:
    own = rating(world.owner, world.node, world.owner, world.deployment)
    world.refuses(world.owner, own, "SelfRating")


def test_node_rates_itself_from_its_wallet_or_an_operator(world: World, new_account: NewAccount) -> None:
    wallet, operator = new_account(), new_account()
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    approve = identity.functions.setApprovalForAll(operator.address, True)
    world.chain.rpc.transact(world.owner, approve, "Approving an operator")
    world.chain.set_wallet(world.owner, world.node, wallet)
    for account in (wallet, operator, world.owner):
        world.refuses(account, rating(wallet, world.node, account, world.deployment), "SelfRating")


def test_stolen_wallet_is_worthless_once_rotated_away(world: World, new_account: NewAccount) -> None:
    before, wallet = world.rating(), new_account()
    world.chain.set_wallet(world.owner, world.node, wallet)
    world.refuses(world.client, before, "InvalidReceiptSignature")
    world.refuses(world.client, world.rating(), "InvalidReceiptSignature")
    world.chain.submit(world.client, [rating(wallet, world.node, world.client, world.deployment)])


def test_wallet_cannot_be_set_without_its_consent_or_by_a_stranger(world: World, new_account: NewAccount) -> None:
    with pytest.raises(TransactionFailed, match="NotAuthorized"):
        world.chain.set_wallet(world.stranger, world.node, world.stranger)
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    deadline = int(time.time()) + 100
    take = identity.functions.setAgentWallet(world.node, new_account().address, deadline, bytes(65))
    with pytest.raises(TransactionFailed, match="InvalidWalletSignature"):
        world.chain.rpc.transact(world.owner, take, "Taking a wallet")


@pytest.mark.parametrize("value", [0, 101, -101, 127, -128])
def test_verdict_is_out_of_range(world: World, value: int) -> None:
    world.refuses(world.client, world.rating(value), rf"ValueOutOfRange\(index=0, value={value}\)")


def test_receipt_is_too_old_or_not_yet_issued(world: World) -> None:
    now = int(time.time())
    for issued_at, error in ((now - VALIDITY_SECONDS - 3600, "ReceiptExpired"), (now + 86_400, "IssuedInFuture")):
        receipt = replace(new_receipt(world.node, world.client.address), issued_at=issued_at)
        signed = issue(world.owner, receipt, world.deployment)
        world.refuses(world.client, Rating(receipt=signed, value=1), error)


def test_stranger_publishes_for_a_node(world: World) -> None:
    with pytest.raises(TransactionFailed, match="NotPublisher"):
        world.chain.publish(world.stranger, world.node, 1, MANIFEST)
    assert world.chain.heads(world.node) == []


def test_node_skips_repeats_or_rolls_back_a_version(world: World) -> None:
    for sequence in (1, 2):
        world.chain.publish(world.owner, world.node, sequence, MANIFEST)
    for sequence in (0, 1, 2, 4):
        with pytest.raises(TransactionFailed, match=rf"given={sequence}, expected=3"):
            world.chain.publish(world.owner, world.node, sequence, MANIFEST)


def test_stranger_moves_a_node_to_its_own_endpoint(world: World) -> None:
    with pytest.raises(TransactionFailed, match="NotAuthorized"):
        world.chain.set_endpoint(world.stranger, world.node, "http://evil.example")
    assert world.chain.directory().nodes[world.node].endpoint == ENDPOINT


def test_events_of_a_look_alike_registry_are_not_read(world: World, devnet: Profile) -> None:
    """The stranger owns the same node id in a registry of its own, and says there what it likes."""
    fake = EvmChain(devnet.rpc, deploy(devnet.rpc, world.stranger))
    while (theirs := fake.register(world.stranger, "http://evil.example")) < world.node:
        pass
    fake.publish(world.stranger, theirs, 1, MANIFEST)
    entry = world.chain.directory().nodes[world.node]
    assert (entry.owner, entry.endpoint, entry.head) == (world.owner.address, ENDPOINT, None)


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"a" * 5000, b""], ids=["not UTF-8", "huge", "empty"])
def test_garbage_in_metadata_does_not_stop_readers(world: World, garbage: bytes) -> None:
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    for key in ("knet.endpoint", "unrelated"):
        call = identity.functions.setMetadata(world.node, key, garbage)
        world.chain.rpc.transact(world.owner, call, "Writing garbage")
    entry = world.chain.directory().nodes[world.node]
    assert (entry.endpoint, entry.owner) == ("", world.owner.address)
