"""Transactions that a process left unfinished: the next process resumes them, so each call is made once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from knet.chain import sender
from knet.chain.evm import EvmChain
from knet.config import Profile
from knet.errors import ChainUnreachable, TransactionPending

from .faults import FaultyRpc, Json, drop_before, dying, first, saying, unmined
from .sending import ENDPOINT, RECEIPT, SEND, NewAccount, another, go, nodes_of

pytestmark = pytest.mark.usefixtures("impatient")


def test_transaction_of_a_killed_process_is_resumed(
    devnet: Profile, rpc: FaultyRpc, later: EvmChain, new_account: NewAccount, tmp_path: Path
) -> None:
    owner = new_account()
    arrived: list[subprocess.Popen[bytes]] = []

    def killed(request: Json, forward: Callable[[], Json]) -> None:
        forward()
        arrived[0].kill()

    rpc.faults[SEND] = killed
    with another(devnet, rpc.url, tmp_path, owner, "chain.identity.register(owner, endpoint)") as process:
        arrived.append(process)
        go(process)
        assert process.wait(120) != 0
    (node,) = nodes_of(later, owner)
    assert later.identity.register(owner, ENDPOINT) == node
    assert nodes_of(later, owner) == [node]


def test_processes_with_one_key_use_different_nonces(
    devnet: Profile, chain: EvmChain, new_account: NewAccount, tmp_path: Path
) -> None:
    owner = new_account()
    doing = "for _ in range(3): chain.identity.register(owner, endpoint)"
    with ExitStack() as running:
        processes = [running.enter_context(another(devnet, devnet.rpc, tmp_path, owner, doing)) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            go(process)
        assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert len(nodes_of(chain, owner)) == 9


def test_transaction_given_up_by_a_live_process_is_resumed(
    devnet: Profile, rpc: FaultyRpc, later: EvmChain, new_account: NewAccount, tmp_path: Path
) -> None:
    owner = new_account()
    rpc.faults[SEND] = dying(rpc)
    doing = """
try: chain.identity.register(owner, endpoint)
except ChainUnreachable: print("gave up", flush=True)
sys.stdin.readline()
"""
    with another(devnet, rpc.url, tmp_path, owner, doing) as process:
        go(process)
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"ready\n", b"gave up\n"]
        (node,) = nodes_of(later, owner)
        assert later.identity.register(owner, ENDPOINT) == node
        assert process.poll() is None
        go(process)
        assert process.wait(60) == 0
    assert nodes_of(later, owner) == [node]


def test_unmined_transaction_is_resumed_after_any_time(
    rpc: FaultyRpc, through: EvmChain, later: EvmChain, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = new_account()
    with unmined(rpc), monkeypatch.context() as patch:
        patch.setattr(sender, "MINED_SECONDS", 0.2)
        patch.setattr(sender, "RESUMED_SECONDS", 0)
        for chain in (through, later):
            with pytest.raises(TransactionPending):
                chain.identity.register(owner, ENDPOINT)
    assert len(nodes_of(later, owner)) == 1


def test_replacement_with_a_lost_reply_is_found(
    rpc: FaultyRpc, through: EvmChain, chain: EvmChain, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BUMP_SECONDS", 0.05)
    monkeypatch.setattr(sender, "MINED_SECONDS", 5.0)
    owner = new_account()
    versions: list[str] = []
    tip = [10**9]

    def rising(request: Json, forward: Callable[[], Json]) -> Json:
        tip[0] *= 2  # so that every replacement differs from the earlier ones
        return {"jsonrpc": "2.0", "id": request["id"], "result": hex(tip[0])}

    def lost(request: Json, forward: Callable[[], Json]) -> Json | None:
        raw = request["params"][0]
        if raw not in versions:
            versions.append(raw)
        if len(versions) > 2:
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "txpool is full"}}
        reply = forward()
        if len(versions) == 1:
            return reply
        rpc.ask("evm_mine")  # the second is mined, and its reply is lost
        return None

    rpc.faults["eth_maxPriorityFeePerGas"], rpc.faults[SEND] = rising, lost
    with unmined(rpc):
        node = through.identity.register(owner, ENDPOINT)
    assert len(versions) >= 2
    assert nodes_of(chain, owner) == [node]


def test_late_transaction_receipt_is_waited_for(
    rpc: FaultyRpc, through: EvmChain, new_account: NewAccount, devnet: Profile, tmp_path: Path
) -> None:
    owner = new_account()
    rpc.faults[SEND] = dying(rpc)
    with pytest.raises(ChainUnreachable):
        through.identity.register(owner, ENDPOINT)
    rpc.dead = False
    del rpc.faults[SEND]
    rpc.faults[RECEIPT] = first(2, saying(None))
    again = EvmChain(rpc.url, devnet.deployment, journals=tmp_path)
    assert [again.identity.register(owner, ENDPOINT)] == nodes_of(again, owner)


def test_transaction_is_sent_again_when_its_nonce_was_used_elsewhere(
    rpc: FaultyRpc,
    through: EvmChain,
    new_account: NewAccount,
    devnet: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = new_account()
    rpc.faults[SEND] = drop_before
    with pytest.raises(ChainUnreachable):
        through.identity.register(owner, ENDPOINT)
    del rpc.faults[SEND]
    EvmChain(devnet.rpc, devnet.deployment).reliability.bond(owner, 10**15)  # another wallet with this key
    careful = EvmChain(rpc.url, devnet.deployment, journals=tmp_path, confirmations=3)
    monkeypatch.setattr(sender, "MINED_SECONDS", 0.2)
    with pytest.raises(TransactionPending, match="may still be"):
        careful.identity.register(owner, ENDPOINT)
    assert nodes_of(through, owner) == [], "a reorganisation may still free the nonce"
    rpc.ask("anvil_mine", hex(4))
    with ThreadPoolExecutor(1) as pool:
        registered = pool.submit(careful.identity.register, owner, ENDPOINT)
        while not registered.done():
            rpc.ask("anvil_mine", hex(1))
    assert nodes_of(through, owner) == [registered.result()]
