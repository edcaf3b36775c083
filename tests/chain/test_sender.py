"""Sender of transactions: each arrives exactly once in spite of faults of the RPC and reorganisations."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from web3 import Web3

from knet.chain import sender
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.journal import Journal
from knet.chain.keys import new_key
from knet.codec import DAG_CBOR, Cid
from knet.config import Profile
from knet.errors import ChainUnreachable, ConfigError, TransactionFailed, TransactionPending

from .faults import FaultyRpc, Json, drop_after, drop_before, dying, first, saying, unmined
from .sending import COUNT, ENDPOINT, RECEIPT, SEND, NewAccount, nodes_of

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.parametrize("fault", [drop_before, drop_after])
@pytest.mark.parametrize("method", [SEND, RECEIPT])
def test_call_survives_a_broken_connection(
    method: str, fault: Callable[..., None], rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()
    rpc.faults[method] = first(2, fault)
    node = through.identity.register(owner, ENDPOINT)
    assert nodes_of(chain, owner) == [node]
    assert rpc.seen[method] >= 3


def test_transaction_sent_before_the_rpc_died_is_resumed(
    rpc: FaultyRpc, through: EvmChain, later: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()
    rpc.faults[SEND] = dying(rpc)
    with pytest.raises(ChainUnreachable):
        through.identity.register(owner, ENDPOINT)
    (node,) = nodes_of(later, owner)
    assert later.identity.register(owner, ENDPOINT) == node, "the same command again registers no second node"
    assert nodes_of(later, owner) == [node]
    assert later.identity.register(owner, ENDPOINT) != node, "a call after a reported success is another call"


def test_refusal_after_a_broken_connection_does_not_repeat_the_call(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()
    sent: list[Json] = []

    def limited(request: Json, forward: Callable[[], Json]) -> Json | None:
        sent.append(request)
        if len(sent) == 1:
            return drop_after(request, forward)
        return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32005, "message": "too many requests"}}

    rpc.faults[SEND], rpc.faults["eth_getTransactionByHash"] = limited, first(1, saying(None))
    node = through.identity.register(owner, ENDPOINT)
    assert len(sent) > 1
    assert nodes_of(chain, owner) == [node]


def test_transaction_that_the_rpc_lost_is_sent_again(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()

    def swallow(request: Json, forward: Callable[[], Json]) -> Json:
        return {"jsonrpc": "2.0", "id": request["id"], "result": Web3.keccak(hexstr=request["params"][0]).to_0x_hex()}

    rpc.faults[SEND] = first(2, swallow)
    node = through.identity.register(owner, ENDPOINT)
    assert nodes_of(chain, owner) == [node]
    assert rpc.seen[SEND] == 3


def test_lagging_nonce_of_the_rpc_is_corrected(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount, devnet: Profile
) -> None:
    owner = new_account()
    rpc.faults[RECEIPT] = first(5, saying(None))
    node = through.identity.register(owner, ENDPOINT)
    rpc.faults[COUNT] = saying("0x0")  # the RPC never counts the first transaction
    through.manifests.publish(owner, node, 1, Cid.of(b"1", DAG_CBOR))
    assert [head.sequence for head in chain.manifests.heads(node)] == [1], "the sender remembers its nonce"
    rpc.faults[COUNT] = first(2, saying("0x0"))
    forgetful = EvmChain(rpc.url, devnet.deployment)
    forgetful.manifests.publish(owner, node, 2, Cid.of(b"2", DAG_CBOR))
    assert [head.sequence for head in chain.manifests.heads(node)] == [1, 2], "another process asks again"


def test_transaction_with_a_low_fee_is_replaced_by_a_higher_one(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BUMP_SECONDS", 0.05)
    owner = new_account()
    sent: list[int] = []

    def counted(request: Json, forward: Callable[[], Json]) -> Json:
        raw = bytes.fromhex(request["params"][0][2:])
        reply = forward()
        if "result" in reply:
            decoded = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
            assert decoded["nonce"] == 0
            sent.append(decoded["maxFeePerGas"])
        if len(set(sent)) == 3:
            rpc.ask("evm_mine")
        return reply

    rpc.faults[SEND] = counted
    with unmined(rpc):
        node = through.identity.register(owner, ENDPOINT)
    assert nodes_of(chain, owner) == [node]
    fees = list(dict.fromkeys(sent))
    assert len(fees) >= 3
    assert all(1.1 * before <= after for before, after in pairwise(fees))


def test_unmined_transaction_is_pending_and_resumed(
    rpc: FaultyRpc, through: EvmChain, later: EvmChain, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = new_account()
    with unmined(rpc), monkeypatch.context() as patch:
        patch.setattr(sender, "MINED_SECONDS", 0.2)
        with pytest.raises(TransactionPending, match="the same command resumes it"):
            through.identity.register(owner, ENDPOINT)
    (node,) = nodes_of(later, owner)
    assert later.identity.register(owner, ENDPOINT) == node


def test_transaction_removed_by_a_reorganisation_is_sent_again(
    rpc: FaultyRpc, through: EvmChain, later: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()
    node = through.identity.register(owner, ENDPOINT)
    before = rpc.ask("evm_snapshot")
    through.manifests.publish(owner, node, 1, Cid.of(b"1", DAG_CBOR))
    through.manifests.publish(owner, node, 2, Cid.of(b"2", DAG_CBOR))
    assert rpc.ask("evm_revert", before)
    assert later.manifests.heads(node) == []
    later.manifests.publish(owner, node, 3, Cid.of(b"3", DAG_CBOR))
    assert [head.sequence for head in later.manifests.heads(node)] == [1, 2, 3]


def test_transaction_out_of_gas_is_sent_with_more_once(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount
) -> None:
    owner = new_account()

    def half(request: Json, forward: Callable[[], Json]) -> Json:
        reply = forward()
        return reply | {"result": hex(int(reply["result"], 16) * 6 // 10)}

    rpc.faults["eth_estimateGas"] = half
    node = through.identity.register(owner, ENDPOINT)
    assert nodes_of(chain, owner) == [node]
    assert rpc.seen[SEND] == 2

    rpc.faults["eth_estimateGas"] = saying(hex(30_000))
    with pytest.raises(TransactionFailed, match="reverted in block"):
        through.identity.register(owner, ENDPOINT)
    assert rpc.seen[SEND] == 4, "two attempts are the limit"


def test_refused_transaction_of_a_poor_account_leaves_no_entry(
    rpc: FaultyRpc, through: EvmChain, devnet: Profile, tmp_path: Path
) -> None:
    poor = new_key()
    with pytest.raises(TransactionFailed, match="Send the account some ether"):
        through.identity.register(poor, ENDPOINT)
    fund(devnet.rpc, poor.address)
    assert through.identity.register(poor, ENDPOINT) > 0


def test_equal_calls_are_all_executed(chain: EvmChain, through: EvmChain, new_account: NewAccount) -> None:
    owner = new_account()
    assert len({through.identity.register(owner, ENDPOINT) for _ in range(2)}) == 2
    with ThreadPoolExecutor(6) as pool:
        nodes = list(pool.map(lambda _: through.identity.register(owner, ENDPOINT), range(6)))
    assert len(set(nodes)) == 6
    assert len(nodes_of(chain, owner)) == 8
    before = chain.reliability.stake(owner.address).bond
    for _ in range(2):
        through.reliability.bond(owner, 10**15)
    assert chain.reliability.stake(owner.address).bond == before + 2 * 10**15


def test_final_transactions_leave_the_journal(
    rpc: FaultyRpc, through: EvmChain, new_account: NewAccount, tmp_path: Path
) -> None:
    owner = new_account()
    node = through.identity.register(owner, ENDPOINT)
    for sequence in range(1, 4):
        through.manifests.publish(owner, node, sequence, Cid.of(b"%d" % sequence, DAG_CBOR))
    (path,) = tmp_path.glob("*.json")
    with Journal(owner.address, path).opened() as entries:
        assert [entry.nonce for entry in entries] == [0, 1, 2, 3]
    rpc.ask("anvil_mine", hex(sender.FINAL_BLOCKS))
    through.manifests.publish(owner, node, 4, Cid.of(b"4", DAG_CBOR))
    with Journal(owner.address, path).opened() as entries:
        assert [entry.nonce for entry in entries] == [4]


def test_damaged_journal_is_reported_before_sending(through: EvmChain, new_account: NewAccount, tmp_path: Path) -> None:
    owner = new_account()
    through.identity.register(owner, ENDPOINT)
    (path,) = tmp_path.glob("*.json")
    path.write_text("{")
    with pytest.raises(ConfigError, match="Look up what was sent"):
        through.identity.register(owner, ENDPOINT)
