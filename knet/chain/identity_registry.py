"""Wrapper of the ERC-8004 identity registry: owners, wallets and endpoints of nodes."""

from __future__ import annotations

from eth_account.messages import encode_typed_data
from web3.exceptions import ContractLogicError

from ..config import Deployment
from ..errors import ChainError, ConfigError, NotRegistered
from ..records import NodeEntry
from .events import ENDPOINT_KEY, TRANSFER, decode_endpoint, is_endpoint
from .keys import Signer
from .rpc import Rpc


class IdentityRegistry:
    """The identity registry of one deployment. Safe to use from many threads."""

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self._rpc = rpc
        self._deployment = deployment
        self._contract = rpc.contract("IdentityRegistry", deployment.identity)

    def owner_of(self, node: int) -> str:
        """Return the owner of a node (checksum address). Raises NotRegistered."""
        try:
            owner: str = self._rpc.call(self._contract.functions.ownerOf(node), f"Looking up node {node}")
            return owner
        except ChainError as error:
            if isinstance(error.__cause__, ContractLogicError):
                raise NotRegistered(f"There is no node {node} in the registry {self._deployment.identity}.") from error
            raise

    def signer_of(self, node: int) -> str:
        """Return the wallet that signs for a node now (checksum address). Raises NotRegistered."""
        wallet: str = self._rpc.call(
            self._contract.functions.getAgentWallet(node), f"Reading the wallet of node {node}"
        )
        if int(wallet, 16) == 0:
            self.owner_of(node)
            raise NotRegistered(
                f"Node {node} has no signing wallet.", hint="Its owner must set one: a transfer removes the wallet."
            )
        return wallet

    def entry(self, node: int) -> NodeEntry:
        """Return a node's present owner, wallet and endpoint, without its head. Raises NotRegistered."""
        description = f"Looking up node {node}"
        endpoint: bytes = self._rpc.call(self._contract.functions.getMetadata(node, ENDPOINT_KEY), description)
        wallet: str = self._rpc.call(self._contract.functions.getAgentWallet(node), description)
        known = "" if int(wallet, 16) == 0 else wallet
        return NodeEntry(node=node, owner=self.owner_of(node), wallet=known, endpoint=decode_endpoint(endpoint))

    def register(self, signer: Signer, endpoint: str) -> int:
        """Register a new identity owned by ``signer`` and return its node id. Raises TransactionFailed."""
        url = _checked_endpoint(endpoint)
        register = self._contract.get_function_by_signature("register(string,(string,bytes)[])")
        call = register(_registration_url(url), [(ENDPOINT_KEY, url.encode())])
        receipt = self._rpc.transact(signer, call, f"Registering {url}")
        for log in receipt["logs"]:
            if log["address"] == self._contract.address and log["topics"][0].to_0x_hex() == TRANSFER:
                return int(log["topics"][3].to_0x_hex(), 16)
        raise ChainError(f"Registering {url} left no event.", hint="The profile's identity registry is not ERC-8004.")

    def set_endpoint(self, signer: Signer, node: int, endpoint: str) -> str:
        """Announce a node's base URL and return the hash of the transaction that clients read.

        Sends two transactions: first the registration file's URL, then the endpoint itself.
        """
        url = _checked_endpoint(endpoint)
        description = f"Announcing node {node} at {url}"
        self._rpc.send(signer, self._contract.functions.setAgentURI(node, _registration_url(url)), description)
        call = self._contract.functions.setMetadata(node, ENDPOINT_KEY, url.encode())
        return self._rpc.send(signer, call, description)

    def set_wallet(self, owner: Signer, node: int, wallet: Signer, deadline: int) -> str:
        """Let another key sign for a node and return the transaction hash. Both keys must consent.

        The wallet's consent is valid until ``deadline`` (unix seconds, at most 300 ahead).
        """
        consent = self._wallet_consent(node, wallet, self.owner_of(node), deadline)
        call = self._contract.functions.setAgentWallet(node, wallet.address, deadline, consent)
        return self._rpc.send(owner, call, f"Changing the wallet of node {node}")

    def _wallet_consent(self, node: int, wallet: Signer, owner: str, deadline: int) -> bytes:
        fields = {"agentId": "uint256", "newWallet": "address", "owner": "address", "deadline": "uint256"}
        message = encode_typed_data(
            {
                "name": "ERC8004IdentityRegistry",
                "version": "1",
                "chainId": self._deployment.chain_id,
                "verifyingContract": self._deployment.identity,
            },
            {"AgentWalletSet": [{"name": name, "type": kind} for name, kind in fields.items()]},
            {"agentId": node, "newWallet": wallet.address, "owner": owner, "deadline": deadline},
        )
        return bytes(wallet.sign_message(message).signature)


def _checked_endpoint(endpoint: str) -> str:
    url = endpoint.rstrip("/")
    if not is_endpoint(url):
        raise ConfigError(
            f"{endpoint[:80]!r} is not a valid endpoint of a node.",
            hint="Give its http(s) base URL in ASCII, without user, query or fragment.",
        )
    return url


def _registration_url(endpoint: str) -> str:
    return endpoint + "/.well-known/agent-registration.json"
