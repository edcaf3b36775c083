"""Ratings outlive their rater's machine: nodes keep the leaves, show them to auditors, and answer challenges."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from knet.chain.batches import Batch
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.codec import encode
from knet.config import Profile
from knet.content.store import MemoryStore
from knet.http import HttpClient
from knet.rating.audit import audit_batch
from knet.rating.batch import build_batch, fetch_leaves, publish_batch
from knet.rating.replication import MEDIA_TYPE, BatchOffer, LeafSources, keepers, make_offer
from knet.records import Rating
from tests.chain.support import rating, send

from .clients import PATIENT, funded_key, open_client, own_network, wait_for
from .support import RunningNode, start_nodes
from .test_trust import QUESTION, RIGHT, WRONG


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RunningNode]]:
    monkeypatch.setattr("knet_indexer.server.audits.FIRST_SECONDS", 0.1)
    monkeypatch.setattr("knet_indexer.server.audits.AUDIT_SECONDS", 0.2)
    with start_nodes(tmp_path / "nodes", own_network(devnet), [RIGHT, WRONG, RIGHT]) as nodes:
        yield nodes


@pytest.fixture
def chain(nodes: list[RunningNode]) -> EvmChain:
    profile = nodes[0].node.profile
    return EvmChain(profile.rpc, profile.deployment)


def rate_and_vanish(nodes: list[RunningNode], chain: EvmChain, folder: Path) -> Batch:
    """Rate one passage down, send the rating, and lose the machine."""
    with open_client(nodes[0].node.profile, folder) as net:
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        wrong = next(n for n, p in enumerate(answer.passages, 1) if p.provenance.node == nodes[1].identity)
        answer.rate(-1, passage=wrong)
        net.ratings.flush()
        (batch,) = chain.reliability.batches(net.address)
    shutil.rmtree(folder)
    return batch


def test_auditor_on_another_machine_reads_every_honest_batch(
    nodes: list[RunningNode], chain: EvmChain, tmp_path: Path
) -> None:
    """Threat model: rater, ratings that are not published. A default profile names no Kubo daemon and no gateway."""
    batch = rate_and_vanish(nodes, chain, tmp_path / "gone")
    profile = nodes[0].node.profile
    assert (profile.kubo, profile.gateways) == ("", [])
    with HttpClient(addresses=profile.addresses) as http:
        entries = chain.registry_snapshot().nodes
        leaves = LeafSources(http, MemoryStore(), lambda: entries)
        assert audit_batch(chain, leaves.of, batch) is None
        honest = {node: entry for node, entry in entries.items() if node != nodes[1].identity}
        others = LeafSources(http, MemoryStore(), lambda: honest)
        assert audit_batch(chain, others.of, batch) is None, "the node that was rated down is not needed"


def test_offline_rater_is_answered_for_by_nodes(nodes: list[RunningNode], chain: EvmChain, tmp_path: Path) -> None:
    """Threat model: auditor, availability challenges of honest raters that are offline. A story of two machines."""
    batch = rate_and_vanish(nodes, chain, tmp_path / "gone")
    bond = chain.reliability.stake(batch.rater).bond
    hostile = funded_key(nodes[0].node.profile)
    chain.reliability.challenge_availability(hostile, batch, 0)
    wait_for(lambda: chain.reliability.open_challenges(batch.rater) == [], "a node publishes the leaf")
    assert [number for _, number, _ in chain.reliability.responses_to(hostile.address)] == [batch.number]
    assert chain.reliability.is_active(batch)
    assert chain.reliability.stake(batch.rater).bond == bond > 0


def test_node_challenges_a_batch_about_itself_with_a_stolen_receipt(
    nodes: list[RunningNode], chain: EvmChain, tmp_path: Path
) -> None:
    """Threat model: rater, a rating with another account's receipt. No person is at a terminal."""
    victim = nodes[0]
    cheat, other = funded_key(victim.node.profile), funded_key(victim.node.profile)
    stolen = rating(victim.node.signer, victim.identity, other, chain.deployment, -100)
    store = MemoryStore()
    batch = send(chain, cheat, build_batch([stolen]), store)
    offer(victim, batch, store)
    wait_for(lambda: not chain.reliability.is_active(batch), "the node challenges the batch")
    assert chain.reliability.stake(cheat.address).bond == 0
    assert chain.reliability.scores([victim.identity])[victim.identity].negative == 0


def test_node_has_a_batch_without_leaves_published_or_removed(nodes: list[RunningNode], chain: EvmChain) -> None:
    """Threat model: rater, a batch of random bytes."""
    victim = nodes[0]
    cheat = funded_key(victim.node.profile)
    folded = replace(build_batch([forged(cheat, victim, chain)]), root=b"\x07" * 32)
    batch = send(chain, cheat, folded)
    wait_for(lambda: chain.reliability.open_challenges(cheat.address) != [], "the node asks for a leaf")
    (challenge,) = {each.challenger for each in chain.reliability.open_challenges(cheat.address)}
    assert challenge == victim.node.signer.address
    assert chain.reliability.is_active(batch), "the rater has four days"


def test_bond_of_a_stranger_buries_no_node_for_a_new_client(
    nodes: list[RunningNode], chain: EvmChain, tmp_path: Path
) -> None:
    """Threat model: rater, bad-mouthing with ten genuine receipts and 0.01 ether, and with random bytes."""
    victim, profile = nodes[0], nodes[0].node.profile
    with open_client(profile, tmp_path / "before") as net:
        before = [passage.text for passage in net.ask(QUESTION, node_timeout=PATIENT).passages]
    stranger, store = funded_key(profile), MemoryStore()
    genuine = [rating(victim.node.signer, victim.identity, stranger, chain.deployment, -100) for _ in range(10)]
    chain.reliability.checkpoint(stranger, [victim.identity])
    batch = send(chain, stranger, build_batch(genuine), store)
    offer(victim, batch, store)
    other = funded_key(profile)
    send(chain, other, replace(build_batch([forged(other, victim, chain)] * 500), root=b"\x07" * 32))
    assert chain.reliability.scores([victim.identity])[victim.identity].mean < 0.1, "the chain's own sums"
    with open_client(profile, tmp_path / "after") as net:
        assert net.trust.of(victim.identity).reliability.mean == 0.5
        assert [passage.text for passage in net.ask(QUESTION, node_timeout=PATIENT).passages] == before


def test_node_keeps_only_what_a_batch_on_chain_commits_to(nodes: list[RunningNode], chain: EvmChain) -> None:
    node, rater = nodes[0], funded_key(nodes[0].node.profile)
    store = MemoryStore()
    good = build_batch([rating(node.node.signer, node.identity, rater, chain.deployment)])
    publish_batch(good, store)
    rater_bytes = bytes.fromhex(rater.address[2:])
    blocks = [store.get(cid) for cid in store]
    index = store.get(good.content)
    leaves = [block for block in blocks if block != index]
    early = BatchOffer(rater=rater_bytes, block=chain.block_number(), index=index, leaves=leaves)
    assert post(node, early).status_code == 400, "it is not on chain"
    batch = send(chain, rater, good, store)
    right = make_offer(batch, store)
    for wrong in (
        replace(right, leaves=[]),
        replace(right, leaves=[*right.leaves, b"\xa0"]),
        replace(right, leaves=[leaves[0][:-1]]),
        replace(right, index=b"\xa0"),
        replace(right, rater=b""),
        replace(right, rater=bytes(20)),
    ):
        assert post(node, wrong).status_code == 400
    assert not any(path.is_file() for path in (node.node.folder / "ratings").rglob("b*"))
    assert post(node, right).status_code == 200
    assert httpx.get(f"{node.endpoint}/ipfs/{batch.content}?format=raw").content == index
    assert fetch_leaves(batch, store) == good.leaves


def test_keepers_are_the_rated_nodes_and_a_few_others(nodes: list[RunningNode], chain: EvmChain) -> None:
    rater = funded_key(nodes[0].node.profile)
    batch = send(chain, rater, build_batch([forged(rater, nodes[1], chain)]))
    many = range(1, 1000)
    chosen = keepers(batch, many)
    assert chosen[0] == nodes[1].identity
    assert len(chosen) == 5
    assert keepers(batch, reversed(many)) == chosen, "an auditor finds the same nodes"


def forged(rater: Signer, node: RunningNode, chain: EvmChain) -> Rating:
    return rating(rater, node.identity, rater, chain.deployment, -100)


def offer(node: RunningNode, batch: Batch, store: MemoryStore) -> None:
    assert post(node, make_offer(batch, store)).status_code == 200


def post(node: RunningNode, offered: BatchOffer) -> httpx.Response:
    return httpx.post(f"{node.endpoint}/v1/ratings", content=encode(offered), headers={"Content-Type": MEDIA_TYPE})
