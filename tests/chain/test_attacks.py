"""Attacks on the contracts and on raters, with the check that stops each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from knet.chain.batches import Batch
from knet.chain.deploy import deploy
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.chain.receipts import sign_receipt
from knet.chain.reliability import WINDOW_SECONDS, Reliability
from knet.codec import DAG_CBOR, Cid
from knet.config import Deployment, Profile
from knet.content.store import MemoryStore
from knet.errors import BlockNotFound, TransactionFailed
from knet.rating.audit import audit_batch, challenge
from knet.rating.batch import RatingBatch, build_batch, fetch_leaves, prove, publish_batch, tree_of
from knet.rating.disputes import follow_up, respond_to_challenges
from knet.records import Rating, Reputation

from .support import STAKE, issue, new_receipt, rating, rebuilt, send, stake, submit

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NewAccount = Callable[[], Signer]
ENDPOINT = "http://127.0.0.1:8080"
MANIFEST = Cid.of(b"manifest", DAG_CBOR)


class World(NamedTuple):
    """An honest node, its client, an attacker (``stranger``) and an auditor."""

    chain: EvmChain
    deployment: Deployment
    owner: Signer
    client: Signer
    stranger: Signer
    auditor: Signer
    node: int
    store: MemoryStore

    @property
    def reliability(self) -> Reliability:
        return self.chain.reliability

    def rating(self, value: int = 100) -> Rating:
        return rating(self.owner, self.node, self.client, self.deployment, value)

    def cheats(self, rater: Signer, folded: RatingBatch, kind: str, reason: str) -> None:
        """Submit a wrong batch; an auditor finds the violation, the batch is removed and the rater loses the bond."""
        self.reliability.checkpoint(self.auditor, [self.node])
        nodes = [delta.node for delta in folded.deltas]
        before = self.reliability.scores(nodes)
        batch = send(self.chain, rater, folded, self.store)
        assert self.reliability.scores(nodes) != before
        self.is_caught(batch, kind, reason)
        assert self.reliability.scores(nodes) == before

    def is_caught(self, batch: Batch, kind: str, reason: str) -> None:
        stake, earned = self.reliability.stake(batch.rater).bond, self.reliability.reward(self.auditor.address).amount
        assert stake > 0
        finding = audit_batch(self.chain, self.store, batch, self.reliability.batches(batch.rater))
        assert finding is not None, "the auditor finds no violation"
        assert finding.kind == kind
        assert re.search(reason, finding.reason)
        challenge(self.chain, self.auditor, finding)
        assert not self.reliability.is_active(batch)
        assert self.reliability.stake(batch.rater).bond == 0
        assert self.reliability.reward(self.auditor.address).amount - earned >= stake // 2
        with pytest.raises(TransactionFailed, match="UnknownBatch"):
            challenge(self.chain, self.auditor, finding)


@pytest.fixture
def world(chain: EvmChain, new_account: NewAccount) -> World:
    owner, client, stranger, auditor = (new_account() for _ in range(4))
    node = chain.identity.register(owner, ENDPOINT)
    return World(chain, chain.deployment, owner, client, stranger, auditor, node, MemoryStore())


def test_honest_batch_withstands_every_challenge(world: World) -> None:
    """The contract refuses every challenge of an honest batch."""
    other = world.chain.identity.register(world.stranger, ENDPOINT)
    ratings = [world.rating(value) for value in (100, -100, 1)]
    ratings += [rating(world.stranger, other, world.client, world.deployment, -7)]
    batch = submit(world.chain, world.client, ratings, world.store)
    again = submit(world.chain, world.client, [world.rating()], world.store)
    for sent in (batch, again):
        assert audit_batch(world.chain, world.store, sent, [batch, again]) is None
    leaves = fetch_leaves(batch, world.store)
    proofs = [prove(leaves, tree_of(leaves), index) for index in range(4)]
    for proof in proofs:
        with pytest.raises(TransactionFailed, match="NoFault"):
            world.reliability.challenge_leaf(world.auditor, batch, proof)
    with pytest.raises(TransactionFailed, match="NoFault"):
        world.reliability.challenge_sum(world.auditor, batch, proofs[0], proofs[1])
    with pytest.raises(TransactionFailed, match="NotAdjacent"):
        world.reliability.challenge_sum(world.auditor, batch, proofs[2], proofs[3])
    with pytest.raises(TransactionFailed, match="NoFault"):
        world.reliability.challenge_duplicate(world.auditor, batch, proofs[0], batch, proofs[0])
    with pytest.raises(TransactionFailed, match="NotInBatch"):
        world.reliability.challenge_leaf(world.auditor, batch, replace(proofs[0], index=1))
    with pytest.raises(TransactionFailed, match="UnknownBatch"):
        world.reliability.challenge_leaf(world.auditor, replace(batch, number=1), proofs[0])


def test_batch_of_a_rater_without_a_bond_is_refused(world: World) -> None:
    folded = build_batch([world.rating()])
    with pytest.raises(TransactionFailed, match="BondTooSmall"):
        world.reliability.submit(world.client, folded.root, folded.content, folded.deltas, int(time.time()) + 60)


def test_batch_above_the_influence_of_the_bond_is_refused(world: World) -> None:
    stake(world.chain, world.client, 10**16)  # ten full ratings
    folded = build_batch([world.rating() for _ in range(11)])
    with pytest.raises(TransactionFailed, match="OverBudget"):
        world.reliability.submit(world.client, folded.root, folded.content, folded.deltas, int(time.time()) + 60)


@pytest.mark.parametrize("identities", [1, 10, 100])
def test_split_bond_buys_the_same_influence(chain: EvmChain, new_account: NewAccount, identities: int) -> None:
    """All accounts together have the influence of the undivided bond, to the hundredth."""
    influence = 0
    for _ in range(identities):
        account = new_account()
        chain.reliability.bond(account, STAKE // identities)
        influence += chain.reliability.stake(account.address).influence
    assert influence == 100_000


def test_receipt_signed_by_its_rater_is_caught(world: World) -> None:
    forged = rating(world.stranger, world.node, world.client, world.deployment)
    world.cheats(world.client, build_batch([world.rating(), forged]), "leaf", "not a recorded wallet of")


def test_receipt_signed_by_another_node_is_caught(world: World) -> None:
    other = world.chain.identity.register(world.stranger, ENDPOINT)
    theirs = issue(world.stranger, new_receipt(other, world.client.address), world.deployment)
    moved = replace(theirs, receipt=replace(theirs.receipt, node=world.node))
    world.cheats(world.client, build_batch([Rating(receipt=moved, value=-100)]), "leaf", "not a recorded wallet of")


def test_mirrored_signature_is_caught(world: World) -> None:
    honest = world.rating()
    r, s, v = (honest.receipt.signature[part] for part in (slice(32), slice(32, 64), 64))
    mirrored = r + (ORDER - int.from_bytes(s)).to_bytes(32) + bytes((55 - v,))
    forged = replace(honest, receipt=replace(honest.receipt, signature=mirrored))
    world.cheats(world.client, build_batch([forged]), "leaf", "malleable")


def test_receipt_in_two_batches_is_caught(world: World) -> None:
    first = world.rating()
    kept = submit(world.chain, world.client, [world.rating(), first], world.store)
    world.cheats(world.client, build_batch([replace(first, value=-100)]), "duplicate", "used for two ratings")
    assert world.reliability.is_active(kept), "the honest batch stays"


def test_receipt_twice_in_one_batch_is_caught(world: World) -> None:
    first = world.rating()
    world.cheats(world.client, build_batch([first, world.rating(), first]), "duplicate", "used for two ratings")


def test_receipt_of_another_account_is_caught(world: World) -> None:
    seen = world.rating()
    world.cheats(world.stranger, build_batch([replace(seen, value=-100)]), "leaf", "issued to")
    receipt = replace(seen.receipt.receipt, client=bytes.fromhex(world.stranger.address[2:]))
    renamed = replace(seen.receipt, receipt=receipt)
    world.cheats(world.stranger, build_batch([Rating(receipt=renamed, value=-100)]), "leaf", "not a recorded wallet of")


def test_copied_batch_of_another_account_is_caught(world: World) -> None:
    """Root and deltas are public. Sent by another account they are wrong, since the receipts name their client."""
    folded = build_batch([world.rating()])
    original = send(world.chain, world.client, folded, world.store)
    world.cheats(world.stranger, folded, "leaf", "issued to")
    assert world.reliability.is_active(original)


@pytest.mark.parametrize("other", ["contract", "chain"])
def test_receipt_of_another_network_is_caught(world: World, devnet: Profile, other: str) -> None:
    elsewhere = deploy(devnet.rpc, world.stranger) if other == "contract" else replace(world.deployment, chain_id=1)
    receipt = new_receipt(world.node, world.client.address)
    signed = sign_receipt(world.owner, receipt, elsewhere.chain_id, elsewhere.reliability)
    world.cheats(world.client, build_batch([Rating(receipt=signed, value=100)]), "leaf", "not a recorded wallet of")


def test_rating_by_the_node_owner_is_caught(world: World) -> None:
    own = rating(world.owner, world.node, world.owner, world.deployment)
    world.cheats(world.owner, build_batch([own]), "leaf", "would rate itself")


def test_rating_by_the_node_wallet_is_caught(world: World, new_account: NewAccount) -> None:
    wallet = new_account()
    world.chain.set_wallet(world.owner, world.node, wallet)
    own = rating(wallet, world.node, wallet, world.deployment)
    world.cheats(wallet, build_batch([own]), "leaf", "would rate itself")


def test_rater_that_is_given_the_node_keeps_its_bond(world: World) -> None:
    """Ratings sent before the transfer, and ratings on their way, are not self-ratings."""
    batch = submit(world.chain, world.client, [world.rating(-100)], world.store)
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    give = identity.functions.transferFrom(world.owner.address, world.client.address, world.node)
    world.chain.rpc.transact(world.owner, give, "Giving the node away")
    world.reliability.checkpoint(world.owner, [world.node])
    under_way = send(world.chain, world.client, build_batch([world.rating(-100)]), world.store)
    for sent in (batch, under_way):
        assert audit_batch(world.chain, world.store, sent) is None
        leaves = fetch_leaves(sent, world.store)
        with pytest.raises(TransactionFailed, match="NoFault"):
            world.reliability.challenge_leaf(world.owner, sent, prove(leaves, tree_of(leaves), 0))


def test_rater_keeps_its_bond_when_the_node_changes_its_key(world: World, new_account: NewAccount) -> None:
    """Ratings with receipts of the old key stay valid for two days, and of the new key are valid at once."""
    critical, wallet = world.rating(-100), new_account()
    batch = submit(world.chain, world.client, [critical], world.store)
    world.chain.set_wallet(world.owner, world.node, wallet)
    world.reliability.checkpoint(world.owner, [world.node])
    late = send(world.chain, world.client, build_batch([world.rating(-100)]), world.store)
    new = rating(wallet, world.node, world.client, world.deployment)
    for sent in (batch, late, send(world.chain, world.client, build_batch([new]), world.store)):
        assert audit_batch(world.chain, world.store, sent) is None


def test_rating_of_an_unregistered_node_is_caught(world: World) -> None:
    """Only registered nodes have scores, so a record cannot be filled before its owner registers."""
    squatted = 10**12 + world.node
    own = rating(world.stranger, squatted, world.stranger, world.deployment)
    world.cheats(world.stranger, build_batch([own]), "leaf", "not a recorded wallet of")


def test_scores_add_the_ratings_of_all_raters(world: World) -> None:
    """Batches write deltas, not scores, so a later batch keeps the ratings of earlier ones."""
    submit(world.chain, world.client, [world.rating(-100)] * 1)
    theirs = rating(world.owner, world.node, world.stranger, world.deployment)
    submit(world.chain, world.stranger, [theirs])
    assert world.reliability.scores([world.node])[world.node] == Reputation(positive=1, negative=1, count=2)


def changed(folded: RatingBatch, index: int, **changes: object) -> RatingBatch:
    """Return the batch with one leaf changed, and with the root and content that fit."""
    leaves = [replace(leaf, **changes) if at == index else leaf for at, leaf in enumerate(folded.leaves)]
    return rebuilt(leaves, folded.deltas)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_wrong_running_sum_is_caught(world: World, index: int) -> None:
    folded = build_batch([world.rating(value) for value in (100, -50, 100)])
    wrong = changed(folded, index, positive=folded.leaves[index].positive + 100)
    world.cheats(world.client, wrong, "sum" if index == 1 else "leaf", "do not add up")


def test_delta_above_its_ratings_is_caught(world: World) -> None:
    folded = build_batch([world.rating(100), world.rating(10)])
    inflated = replace(folded, deltas=[replace(folded.deltas[0], positive=200)])
    world.cheats(world.client, inflated, "leaf", "do not add up")


def test_delta_of_another_node_is_caught(world: World) -> None:
    other = world.chain.identity.register(world.stranger, ENDPOINT)
    folded = build_batch([world.rating()])
    moved = replace(folded, deltas=[replace(folded.deltas[0], node=other)])
    world.cheats(world.client, moved, "leaf", f"is about node {world.node}, not node {other}")


@pytest.mark.parametrize("value", [0, 101, -101, 127, -128])
def test_rating_out_of_range_in_a_batch_is_caught(world: World, value: int) -> None:
    filler = [world.rating(2 if value < 0 else -2) for _ in range(3)]
    world.cheats(world.client, build_batch([*filler, world.rating(value)]), "leaf", rf"is not 0: {value}")


@pytest.mark.parametrize(("age", "reason"), [(31 * 86_400, "expired"), (-86_400, "from the future")])
def test_expired_or_future_receipt_is_caught(world: World, age: int, reason: str) -> None:
    receipt = replace(new_receipt(world.node, world.client.address), issued_at=int(time.time()) - age)
    signed = issue(world.owner, receipt, world.deployment)
    world.cheats(world.client, build_batch([Rating(receipt=signed, value=1)]), "leaf", reason)


def test_withheld_leaf_is_challenged_and_published(world: World) -> None:
    secret = MemoryStore()
    batch = submit(world.chain, world.client, [world.rating(), world.rating()], secret)
    finding = audit_batch(world.chain, world.store, batch)
    assert finding is not None
    assert finding.kind == "withheld"
    challenge(world.chain, world.auditor, finding)
    (demand,) = world.reliability.open_challenges(world.client.address)
    assert (demand.number, demand.index, demand.challenger) == (0, finding.index, world.auditor.address)
    with pytest.raises(TransactionFailed, match="ResponsePending"):
        world.reliability.void_unavailable(world.auditor, batch, finding.index, world.auditor.address)
    with pytest.raises(TransactionFailed, match="AlreadyChallenged"):
        challenge(world.chain, world.auditor, finding)
    assert len(respond_to_challenges(world.chain, world.client, world.client.address, secret, world.chain.time())) == 1
    assert world.reliability.open_challenges(world.client.address) == []
    with pytest.raises(TransactionFailed, match="NotChallenged"):
        world.reliability.void_unavailable(world.auditor, batch, finding.index, world.auditor.address)
    assert follow_up(world.chain, world.auditor, world.chain.time()) == [], "the published leaf is valid"


def test_auditors_challenge_random_leaves_of_a_withheld_batch(world: World) -> None:
    """Auditors choose the leaf at random."""
    batch = submit(world.chain, world.client, [world.rating() for _ in range(40)], MemoryStore())
    findings = [audit_batch(world.chain, world.store, batch) for _ in range(40)]
    assert len({found.index for found in findings if found}) > 5


def test_wrong_leaf_published_in_a_response_is_caught(world: World) -> None:
    secret = MemoryStore()
    stolen = replace(new_receipt(world.node, world.stranger.address), issued_at=int(time.time()))
    wrong = build_batch([Rating(receipt=issue(world.owner, stolen, world.deployment), value=-100)])
    publish_batch(wrong, secret)
    batch = send(world.chain, world.client, wrong)
    finding = audit_batch(world.chain, world.store, batch)
    assert finding is not None
    challenge(world.chain, world.auditor, finding)
    assert len(respond_to_challenges(world.chain, world.client, world.client.address, secret, world.chain.time())) == 1
    assert len(follow_up(world.chain, world.auditor, world.chain.time())) == 1
    assert not world.reliability.is_active(batch)
    assert world.reliability.stake(world.client.address).bond == 0


def test_failed_response_does_not_block_the_others(world: World) -> None:
    """A challenge can fail because another account copied the response from the pool and received the fee."""
    kept, lost = MemoryStore(), MemoryStore()
    unreadable = submit(world.chain, world.client, [world.rating()], lost)
    batch = submit(world.chain, world.client, [world.rating(), world.rating()], kept)
    world.reliability.challenge_availability(world.auditor, unreadable, 0)
    for index in (0, 1):
        world.reliability.challenge_availability(world.auditor, batch, index)
    with pytest.raises(BlockNotFound):
        respond_to_challenges(world.chain, world.client, world.client.address, kept, world.chain.time())
    assert [each.number for each in world.reliability.open_challenges(world.client.address)] == [unreadable.number]
    later = world.chain.time() + WINDOW_SECONDS + 1
    assert respond_to_challenges(world.chain, world.client, world.client.address, kept, later) == []


def test_content_that_differs_from_the_root_counts_as_withheld(world: World) -> None:
    honest, hidden = build_batch([world.rating()]), build_batch([world.rating(-100)])
    publish_batch(honest, world.store)
    batch = send(world.chain, world.client, replace(hidden, content=honest.content))
    finding = audit_batch(world.chain, world.store, batch)
    assert finding is not None
    assert finding.kind == "withheld"
    assert "do not match its root" in finding.reason


def test_wallet_without_its_consent_or_by_a_stranger_is_refused(world: World, new_account: NewAccount) -> None:
    with pytest.raises(TransactionFailed, match="NotAuthorized"):
        world.chain.set_wallet(world.stranger, world.node, world.stranger)
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    deadline = int(time.time()) + 100
    take = identity.functions.setAgentWallet(world.node, new_account().address, deadline, bytes(65))
    with pytest.raises(TransactionFailed, match="InvalidWalletSignature"):
        world.chain.rpc.transact(world.owner, take, "Taking a wallet")


def test_publication_by_a_stranger_is_refused(world: World) -> None:
    with pytest.raises(TransactionFailed, match="NotPublisher"):
        world.chain.manifests.publish(world.stranger, world.node, 1, MANIFEST)
    assert world.chain.manifests.heads(world.node) == []


def test_publication_out_of_sequence_is_refused(world: World) -> None:
    for sequence in (1, 2):
        world.chain.manifests.publish(world.owner, world.node, sequence, MANIFEST)
    for sequence in (0, 1, 2, 4):
        with pytest.raises(TransactionFailed, match=rf"given={sequence}, expected=3"):
            world.chain.manifests.publish(world.owner, world.node, sequence, MANIFEST)


def test_endpoint_set_by_a_stranger_is_refused(world: World) -> None:
    with pytest.raises(TransactionFailed, match="NotAuthorized"):
        world.chain.identity.set_endpoint(world.stranger, world.node, "http://evil.example")
    assert world.chain.registry_snapshot().nodes[world.node].endpoint == ENDPOINT


def test_events_of_another_registry_are_ignored(world: World, devnet: Profile) -> None:
    """The stranger owns the same node id in its own registry and can write anything there."""
    fake = EvmChain(devnet.rpc, deploy(devnet.rpc, world.stranger))
    while (theirs := fake.identity.register(world.stranger, "http://evil.example")) < world.node:
        pass
    fake.manifests.publish(world.stranger, theirs, 1, MANIFEST)
    entry = world.chain.registry_snapshot().nodes[world.node]
    assert (entry.owner, entry.endpoint, entry.head) == (world.owner.address, ENDPOINT, None)


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"a" * 5000, b""], ids=["not UTF-8", "huge", "empty"])
def test_malformed_metadata_does_not_stop_readers(world: World, garbage: bytes) -> None:
    identity = world.chain.rpc.contract("IdentityRegistry", world.deployment.identity)
    for key in ("knet.endpoint", "unrelated"):
        call = identity.functions.setMetadata(world.node, key, garbage)
        world.chain.rpc.transact(world.owner, call, "Writing garbage")
    entry = world.chain.registry_snapshot().nodes[world.node]
    assert (entry.endpoint, entry.owner) == ("", world.owner.address)
