"""The node's ERC-8004 agent registration: https://eips.ethereum.org/EIPS/eip-8004#registration-v1."""

from __future__ import annotations

import json

from ..node import Node


def registration(node: Node, identity: int) -> bytes:
    """Return the registration document (JSON), which also proves that this host belongs to the identity."""
    deployment = node.profile.deployment
    endpoint = node.config.public_endpoint
    document = {
        "type": "https://eips.ethereum.org/EIPS/eip-8004#registration-v1",
        "name": node.name,
        "description": node.config.description,
        "image": "",
        "services": [
            {"name": "knet", "endpoint": f"{endpoint}/v1/search", "version": "1"},
            {"name": "OpenAPI", "endpoint": f"{endpoint}/openapi.json"},
            {"name": "IPFS", "endpoint": f"{endpoint}/ipfs/"},
        ],
        "active": True,
        "registrations": [
            {"agentId": identity, "agentRegistry": f"eip155:{deployment.chain_id}:{deployment.identity}"}
        ],
        "supportedTrust": ["reputation"],
    }
    return json.dumps(document, ensure_ascii=False).encode()
