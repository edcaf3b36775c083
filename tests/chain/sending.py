"""Senders of transactions: an owner, and the same owner in another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from knet.chain.evm import EvmChain
from knet.chain.keys import Signer
from knet.codec import to_json
from knet.config import Profile

ENDPOINT = "http://127.0.0.1:8080"
SEND, RECEIPT, COUNT = "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_getTransactionCount"
NewAccount = Callable[[], Signer]


def nodes_of(chain: EvmChain, owner: Signer) -> list[int]:
    return [node for node, entry in chain.registry_snapshot().nodes.items() if entry.owner == owner.address]


def another(devnet: Profile, rpc: str, journals: Path, owner: Signer, code: str) -> subprocess.Popen[bytes]:
    """Start another process of the same owner, which runs ``code`` after it has read a line."""
    program = f"""
import sys
from pathlib import Path
from eth_account import Account
from knet.chain import sender
from knet.chain.evm import EvmChain
from knet.codec import from_json
from knet.config import Deployment
from knet.errors import ChainUnreachable
sender.SEND_PAUSES = sender.NONCE_PAUSES = (0.01, 0.01, 0.01)
chain = EvmChain({rpc!r}, from_json(sys.argv[1], Deployment), journals=Path({str(journals)!r}))
owner, endpoint = Account.from_key({owner.key.hex()!r}), {ENDPOINT!r}
print("ready", flush=True)
sys.stdin.readline()
{code}
"""
    command = [sys.executable, "-c", program, to_json(devnet.deployment)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()
