"""Deployment of the contracts."""

from __future__ import annotations

from typing import Any

from ..config import Deployment
from ..errors import TransactionFailed
from .abi import artifact
from .keys import Signer
from .rpc import Rpc


def deploy(rpc_url: str, signer: Signer) -> Deployment:
    """Deploy the three contracts, in three transactions; no account owns them afterwards.

    Raises TransactionFailed and ChainUnreachable.
    """
    rpc = Rpc(rpc_url)
    with rpc.errors("Asking for the chain id"):
        chain_id = rpc.web3.eth.chain_id
    identity, block = _create(rpc, signer, "IdentityRegistry")
    manifests, _ = _create(rpc, signer, "ManifestRegistry", identity)
    reliability, _ = _create(rpc, signer, "Reliability", identity)
    return Deployment(
        chain_id=chain_id,
        identity=identity,
        manifests=manifests,
        reliability=reliability,
        block=block,
    )


def is_deployed(rpc_url: str, deployment: Deployment) -> bool:
    """Return True if all the addresses hold code on this chain. Raises ChainUnreachable."""
    rpc = Rpc(rpc_url)
    addresses = (deployment.identity, deployment.manifests, deployment.reliability)
    return all(rpc.request("eth_getCode", [address, "latest"]) != "0x" for address in addresses)


def _create(rpc: Rpc, signer: Signer, name: str, *arguments: Any) -> tuple[str, int]:
    code = artifact(name)
    contract = rpc.web3.eth.contract(abi=code.abi, bytecode=code.bytecode)
    receipt = rpc.transact(signer, contract.constructor(*arguments), f"Deploying {name}")
    address = receipt["contractAddress"]
    if address is None:
        raise TransactionFailed(f"Deploying {name} created no contract.")
    return str(address), int(receipt["blockNumber"])
