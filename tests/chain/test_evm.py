"""Registration, publication, keys and ratings of nodes on a development chain, as its readers see them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from knet.chain import events
from knet.chain.events import RegistrySnapshot
from knet.chain.evm import EvmChain
from knet.chain.keys import Signer, new_key
from knet.chain.reliability import MAX_NODES_PER_CALL, WINDOW_SECONDS
from knet.codec import DAG_CBOR, Cid
from knet.config import Deployment, Profile
from knet.errors import ChainError, ConfigError, NotRegistered, TransactionFailed
from knet.records import NodeEntry, Reputation

from .support import STAKE, rating, submit

NewAccount = Callable[[], Signer]
ENDPOINT = "http://127.0.0.1:8080"


def manifest(text: str) -> Cid:
    return Cid.of(text.encode(), DAG_CBOR)


def test_registered_node_is_in_the_snapshot(chain: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    node = chain.identity.register(owner, ENDPOINT + "/")
    entry = chain.registry_snapshot().nodes[node]
    assert (entry.owner, entry.wallet, entry.endpoint, entry.head) == (owner.address, owner.address, ENDPOINT, None)
    assert chain.identity.signer_of(node) == owner.address
    identity = chain.rpc.contract("IdentityRegistry", chain.deployment.identity)
    assert identity.functions.tokenURI(node).call() == ENDPOINT + "/.well-known/agent-registration.json"


def test_publications_become_the_heads_of_the_node(chain: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    node = chain.identity.register(owner, ENDPOINT)
    assert chain.manifests.heads(node) == []
    transactions = [chain.manifests.publish(owner, node, n, manifest(f"v{n}")) for n in (1, 2, 3)]
    heads = chain.manifests.heads(node)
    assert [head.sequence for head in heads] == [1, 2, 3]
    assert [head.manifest for head in heads] == [manifest("v1"), manifest("v2"), manifest("v3")]
    assert [head.transaction for head in heads] == transactions
    assert abs(heads[-1].time - time.time()) < 3600
    assert chain.registry_snapshot().nodes[node].head == heads[-1]


def test_snapshot_is_extended_by_new_events(chain: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    node = chain.identity.register(owner, ENDPOINT)
    before = chain.registry_snapshot()
    chain.identity.set_endpoint(owner, node, "https://moved.example/knet")
    chain.manifests.publish(owner, node, 1, manifest("v1"))
    newcomer = chain.identity.register(owner, ENDPOINT)
    after = chain.registry_snapshot(before)
    assert before.nodes[node].endpoint == ENDPOINT
    assert after.nodes[node].endpoint == "https://moved.example/knet"
    assert after.nodes[node].head is not None
    assert newcomer in after.nodes
    assert after == chain.registry_snapshot()


def test_unpublished_identities_beyond_the_limit_are_dropped(
    chain: EvmChain, new_account: Callable[[], Signer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents of all kinds share the registry, and any account may fill it."""
    owner = new_account()
    first, second, third = (chain.identity.register(owner, f"http://127.0.0.1:{port}") for port in (8081, 8082, 8083))
    chain.manifests.publish(owner, third, 1, Cid.of(b"third", DAG_CBOR))
    with monkeypatch.context() as patch:
        patch.setattr(events, "MAX_UNPUBLISHED", 1)
        crowd = [chain.identity.register(owner, "http://127.0.0.1:8084") for _ in range(2)]
        before = chain.registry_snapshot()
        mine = {first, second, third, *crowd}
        assert mine & before.nodes.keys() == {third, crowd[1]}
        chain.manifests.publish(owner, first, 1, Cid.of(b"first", DAG_CBOR))
        after = chain.registry_snapshot(before)
        assert mine & after.nodes.keys() == {first, third, crowd[1]}
        assert chain.registry_snapshot().nodes[first] == after.nodes[first]
    assert chain.registry_snapshot().nodes[first] == after.nodes[first], "the dropped node is read again"


def test_snapshot_of_a_longer_chain_is_discarded(chain: EvmChain) -> None:
    """A development chain that was reset has fewer blocks than its follower has read."""
    gone = NodeEntry(node=10**9, owner="", wallet="", endpoint="")
    stale = RegistrySnapshot(block=chain.rpc.block_number() + 1000, nodes={gone.node: gone})
    assert chain.registry_snapshot(stale) == chain.registry_snapshot()


def test_wallet_can_sign_and_publish_for_a_node(chain: EvmChain, new_account: NewAccount) -> None:
    owner, wallet = new_account(), new_account()
    node = chain.identity.register(owner, ENDPOINT)
    chain.set_wallet(owner, node, wallet)
    assert chain.identity.signer_of(node) == chain.registry_snapshot().nodes[node].wallet == wallet.address
    chain.manifests.publish(wallet, node, 1, manifest("by the wallet"))
    chain.manifests.publish(owner, node, 2, manifest("by the owner"))


def test_transferred_node_has_no_wallet_until_its_owner_sets_one(chain: EvmChain, new_account: NewAccount) -> None:
    seller, buyer = new_account(), new_account()
    node = chain.identity.register(seller, ENDPOINT)
    identity = chain.rpc.contract("IdentityRegistry", chain.deployment.identity)
    chain.rpc.transact(seller, identity.functions.transferFrom(seller.address, buyer.address, node), "Selling")
    entry = chain.registry_snapshot().nodes[node]
    assert (entry.owner, entry.wallet) == (buyer.address, "")
    with pytest.raises(NotRegistered, match="no signing wallet"):
        chain.identity.signer_of(node)
    chain.set_wallet(buyer, node, buyer)
    assert chain.identity.signer_of(node) == buyer.address


def test_scores_are_the_sums_of_ratings(chain: EvmChain, new_account: NewAccount) -> None:
    owner, first, second = new_account(), new_account(), new_account()
    node, other = chain.identity.register(owner, ENDPOINT), chain.identity.register(owner, ENDPOINT)
    ratings = [rating(owner, node, first, chain.deployment, value) for value in (100, -40)]
    submit(chain, first, [*ratings, rating(owner, other, first, chain.deployment, -1)])
    submit(chain, second, [rating(owner, node, second, chain.deployment, 50)])
    assert chain.reliability.scores([node, other, 10**6, node]) == {
        node: Reputation(positive=1.5, negative=0.4, count=3),
        other: Reputation(negative=0.01, count=1),
        10**6: Reputation(),
    }


def test_batches_are_read_as_they_were_submitted(chain: EvmChain, new_account: NewAccount) -> None:
    owner, rater = new_account(), new_account()
    node = chain.identity.register(owner, ENDPOINT)
    before = chain.reliability.stake(rater.address)
    assert (before.bond, before.influence, before.batches, before.free_at) == (0, 0, 0, 0)
    sent = [submit(chain, rater, [rating(owner, node, rater, chain.deployment, value)]) for value in (100, -100)]
    assert chain.reliability.batches(rater.address) == sent
    assert chain.reliability.batches(rater.address, since=sent[1].block) == sent[1:]
    assert [batch.number for batch in sent] == [0, 1]
    assert [batch.deltas[0].node for batch in chain.reliability.batches()][-2:] == [node, node]
    standing = chain.reliability.stake(rater.address)
    assert (standing.bond, standing.influence, standing.batches) == (STAKE, 100_000 - 200, 2)
    assert standing.free_at == sent[1].submitted_at + WINDOW_SECONDS
    with pytest.raises(TransactionFailed, match="BondLocked"):
        chain.reliability.unbond(rater, 1)


def test_bond_without_batches_is_returned(chain: EvmChain, new_account: NewAccount) -> None:
    rater = new_account()
    chain.reliability.bond(rater, STAKE)
    chain.reliability.unbond(rater, STAKE)
    assert chain.reliability.stake(rater.address).bond == 0


def test_scores_of_many_nodes_are_read_in_several_calls(chain: EvmChain) -> None:
    nodes = range(10**6, 10**6 + MAX_NODES_PER_CALL + 5)
    assert chain.reliability.scores(nodes) == dict.fromkeys(nodes, Reputation())
    assert chain.reliability.scores([]) == {}


def test_unknown_node_raises_not_registered(chain: EvmChain) -> None:
    for ask in (chain.identity.signer_of, chain.manifests.heads):
        with pytest.raises(NotRegistered, match=str(10**9)):
            ask(10**9)


def test_revert_is_reported_with_its_arguments(chain: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    node = chain.identity.register(owner, ENDPOINT)
    with pytest.raises(TransactionFailed, match=rf"IncorrectSequence\(nodeId={node}, given=5, expected=1\)"):
        chain.manifests.publish(owner, node, 5, manifest("v5"))


def test_threads_with_one_key_send_all_their_transactions(chain: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    with ThreadPoolExecutor(8) as pool:
        nodes = list(pool.map(lambda _: chain.identity.register(owner, ENDPOINT), range(24)))
    assert len(set(nodes)) == 24


def test_account_without_ether_gets_a_hint(chain: EvmChain) -> None:
    with pytest.raises(TransactionFailed, match=r"Send the account some ether"):
        chain.identity.register(new_key(), ENDPOINT)


def test_endpoint_that_is_not_a_url_is_refused(chain: EvmChain) -> None:
    for endpoint in ("", "ftp://host", "127.0.0.1:80", "http://" + "a" * 3000, "http://victim/api?x="):
        with pytest.raises(ConfigError, match="endpoint"):
            chain.identity.register(new_key(), endpoint)


def test_deployment_of_another_chain_raises_no_such_contract(devnet: Profile) -> None:
    nowhere = Deployment(
        chain_id=31337, identity="0x" + "11" * 20, manifests="0x" + "22" * 20, reliability="0x" + "33" * 20
    )
    chain = EvmChain(devnet.rpc, nowhere)
    for ask in (chain.identity.signer_of, chain.manifests.heads, lambda node: chain.reliability.scores([node])):
        with pytest.raises(ChainError, match="no such contract") as caught:
            ask(1)
        assert not isinstance(caught.value, NotRegistered)
    with pytest.raises(ConfigError, match="address"):
        EvmChain(devnet.rpc, Deployment(chain_id=1, identity="nonsense", manifests="", reliability=""))
