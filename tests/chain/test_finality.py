"""Confirmations: heads, ratings and transactions that a reorganisation may still remove do not count."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
from msgspec.structs import replace

from knet.chain import sender
from knet.chain.anvil import find_anvil
from knet.chain.deploy import deploy
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain, open_chain
from knet.chain.keys import Signer, new_key
from knet.codec import DAG_CBOR, Cid
from knet.config import CONFIRMATIONS, Profile
from knet.errors import ChainError, TransactionPending
from tests.conftest import NO_ANVIL
from tests.network.clients import open_client, own_network, wait_for
from tests.network.support import WORD_SPACE, start_nodes

from .faults import FaultyRpc, Json, faulty
from .support import rating, submit

ENDPOINT = "http://127.0.0.1:8080"
BLOCK, RECEIPT = "eth_getBlockByNumber", "eth_getTransactionReceipt"


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    """Chain where only the test mines blocks, and that keeps the state of old ones as public RPCs do."""
    anvil = find_anvil()
    if anvil is None:
        pytest.skip(NO_ANVIL)
    log = tmp_path_factory.mktemp("quiet") / "log"
    command = [str(anvil), "--port", "0", "--accounts", "0"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            while not (found := re.search(rb"Listening on (127\.0\.0\.1:\d+)", log.read_bytes())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            url, deployer = f"http://{found[1].decode()}", new_key()
            fund(url, deployer.address)
            models = (WORD_SPACE.model,)
            yield Profile("quiet", url, deploy(url, deployer), models=models, addresses="loopback")
        finally:
            process.kill()


@pytest.fixture
def rpc(quiet: Profile) -> Iterator[FaultyRpc]:
    with faulty(quiet.rpc) as rpc:
        yield rpc


@pytest.fixture
def owner(quiet: Profile) -> Signer:
    key = new_key()
    fund(quiet.rpc, key.address)
    return key


@pytest.fixture
def hasty(quiet: Profile, rpc: FaultyRpc) -> EvmChain:
    """Reader that accepts the newest block."""
    return EvmChain(rpc.url, quiet.deployment)


def careful(rpc: FaultyRpc, profile: Profile, confirmations: int | Literal["safe", "finalized"]) -> EvmChain:
    return EvmChain(rpc.url, profile.deployment, confirmations=confirmations)


def manifest(number: int) -> Cid:
    return Cid.of(b"%d" % number, DAG_CBOR)


def mine(rpc: FaultyRpc, blocks: int) -> None:
    rpc.ask("anvil_mine", hex(blocks))


def head_in(chain: EvmChain, node: int, known: object = None) -> Cid | None:
    entry = chain.registry_snapshot(known).nodes.get(node)  # type: ignore[arg-type]
    return entry.head.manifest if entry and entry.head else None


def test_head_removed_by_a_reorganisation_is_forgotten(hasty: EvmChain, rpc: FaultyRpc, owner: Signer) -> None:
    node = hasty.identity.register(owner, ENDPOINT)
    hasty.manifests.publish(owner, node, 1, manifest(1))
    before = rpc.ask("evm_snapshot")
    hasty.manifests.publish(owner, node, 2, manifest(2))
    seen = hasty.registry_snapshot()
    assert seen.nodes[node].head is not None
    assert seen.nodes[node].head.manifest == manifest(2)
    assert rpc.ask("evm_revert", before)
    mine(rpc, 3)
    assert head_in(hasty, node, seen) == manifest(1), "the chain continues from the earlier block"


def test_snapshot_is_extended_without_reading_old_blocks(hasty: EvmChain, rpc: FaultyRpc, owner: Signer) -> None:
    node = hasty.identity.register(owner, ENDPOINT)
    known = hasty.registry_snapshot()
    starts: list[int] = []

    def noted(request: Json, forward: Callable[[], Json]) -> Json:
        starts.append(int(request["params"][0]["fromBlock"], 16))
        return forward()

    rpc.faults["eth_getLogs"] = noted
    assert hasty.registry_snapshot(known) is known, "there is no new block"
    hasty.manifests.publish(owner, node, 1, manifest(1))
    assert head_in(hasty, node, known) == manifest(1)
    assert starts == [known.block + 1]


def test_reader_with_confirmations_waits_for_later_blocks(
    hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer
) -> None:
    reader = careful(rpc, quiet, 3)
    node = hasty.identity.register(owner, ENDPOINT)
    mine(rpc, 3)
    hasty.manifests.publish(owner, node, 1, manifest(1))
    for _ in range(3):
        assert head_in(reader, node) is None
        assert reader.manifests.heads(node) == []
        assert [head.manifest for head in reader.manifests.heads(node, unconfirmed=True)] == [manifest(1)]
        mine(rpc, 1)
    assert head_in(reader, node) == manifest(1)
    assert [head.manifest for head in reader.manifests.heads(node)] == [manifest(1)]


def test_reader_with_confirmations_never_sees_a_removed_head(
    hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer
) -> None:
    reader = careful(rpc, quiet, 3)
    node = hasty.identity.register(owner, ENDPOINT)
    mine(rpc, 3)
    before = rpc.ask("evm_snapshot")
    hasty.manifests.publish(owner, node, 1, manifest(1))
    mine(rpc, 2)
    known = reader.registry_snapshot()
    assert rpc.ask("evm_revert", before)
    EvmChain(rpc.url, quiet.deployment).manifests.publish(
        owner, node, 1, manifest(7)
    )  # without the journal that would send the first again
    mine(rpc, 3)
    assert head_in(reader, node, known) == manifest(7)


def test_ratings_count_when_they_are_confirmed(hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer) -> None:
    reader, rater = careful(rpc, quiet, 2), new_key()
    fund(quiet.rpc, rater.address)
    node = hasty.identity.register(owner, ENDPOINT)
    submit(hasty, rater, [rating(owner, node, rater, quiet.deployment)])
    assert hasty.reliability.scores([node])[node].positive > 0
    assert reader.reliability.scores([node])[node].positive == 0
    mine(rpc, 2)
    assert reader.reliability.scores([node]) == hasty.reliability.scores([node])


@pytest.mark.parametrize("tag", ["safe", "finalized"])
def test_block_tag_decides_on_confirmation(
    tag: Literal["safe", "finalized"], hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer
) -> None:
    reader = careful(rpc, quiet, tag)
    node = hasty.identity.register(owner, ENDPOINT)
    hasty.manifests.publish(owner, node, 1, manifest(1))
    assert head_in(reader, node) is None
    mine(rpc, 100)  # Anvil's safe block lies 32 blocks deep, its finalized block 64
    assert head_in(reader, node) == manifest(1)


def test_rpc_without_the_block_tag_is_reported(rpc: FaultyRpc, quiet: Profile) -> None:
    def refuse(request: Json, forward: Callable[[], Json]) -> Json:
        error = {"code": -32602, "message": "invalid block tag: finalized"}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}

    rpc.faults[BLOCK] = refuse
    with pytest.raises(ChainError, match="set the profile's `confirmations` to a number"):
        careful(rpc, quiet, "finalized").registry_snapshot()


def test_transaction_removed_before_its_confirmation_is_sent_again(
    hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RESEND_SECONDS", 0.05)
    node = hasty.identity.register(owner, ENDPOINT)
    before, seen = rpc.ask("evm_snapshot"), threading.Event()

    def watched(request: Json, forward: Callable[[], Json]) -> Json:
        reply = forward()
        if reply.get("result"):
            seen.set()
        return reply

    rpc.faults[RECEIPT] = watched
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(careful(rpc, quiet, 2).manifests.publish, owner, node, 1, manifest(1))
        try:
            assert seen.wait(60)
            assert not publishing.done(), "its block has no confirmation yet"
            assert rpc.ask("evm_revert", before)
            assert hasty.manifests.heads(node) == []
            seen.clear()
            assert seen.wait(60), "it must be in a block again"
        finally:
            rpc.faults.clear()
            mine(rpc, 2)
        publishing.result(60)
    assert [head.manifest for head in hasty.manifests.heads(node)] == [manifest(1)]


def test_unconfirmed_transaction_is_pending_and_resumed(
    hasty: EvmChain, rpc: FaultyRpc, quiet: Profile, owner: Signer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    through = EvmChain(rpc.url, quiet.deployment, journals=tmp_path, confirmations=2)
    with monkeypatch.context() as patch:
        patch.setattr(sender, "CONFIRMED_SECONDS", 0.2)
        with pytest.raises(TransactionPending, match="not confirmed in"):
            through.identity.register(owner, ENDPOINT)
    (node,) = [node for node, entry in hasty.registry_snapshot().nodes.items() if entry.owner == owner.address]
    mine(rpc, 2)
    assert through.identity.register(owner, ENDPOINT) == node, "no second node is registered"


@contextmanager
def blocks_coming(rpc: FaultyRpc) -> Iterator[None]:
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.05):
            mine(rpc, 1)

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(go_on)
        try:
            yield
        finally:
            over.set()
            going.result()


def serves(endpoint: str, head: Cid) -> bool:
    return httpx.get(f"{endpoint}/v1/manifest", timeout=30).headers["etag"] == f'"{head}"'


def test_nodes_and_clients_with_confirmations_work_together(quiet: Profile, rpc: FaultyRpc, tmp_path: Path) -> None:
    patient = replace(own_network(quiet), confirmations=3)
    with (
        blocks_coming(rpc),
        start_nodes(tmp_path, patient, [{"a.md": "A graph has edges and nodes."}]) as (node,),
    ):
        for text in ("A tree is a graph without a cycle.", "A forest is a graph of trees."):
            with closing(open_client(patient, tmp_path / "client")) as network:
                answer = network.ask("What is a graph?", k=8)
            assert {status.status for status in answer.nodes} == {"success"}, answer.nodes
            (node.documents / "more.md").write_text(text)
            node.update()
            head = node.node.chain.manifests.heads(node.identity)[-1]
            wait_for(lambda head=head: serves(node.endpoint, head.manifest), "the confirmed head is served")
        with closing(open_client(patient, tmp_path / "client")) as network:
            answer = network.ask("What is a forest?", k=8)
        assert any("forest" in passage.text for passage in answer.passages)


def test_public_profile_needs_confirmations(devnet: Profile) -> None:
    assert devnet.confirmations_needed == 0
    assert replace(devnet, addresses="public").confirmations_needed == CONFIRMATIONS
    assert replace(devnet, confirmations="finalized").confirmations_needed == "finalized"
    assert open_chain(replace(devnet, confirmations=5)).confirmed_block() <= open_chain(devnet).confirmed_block()
