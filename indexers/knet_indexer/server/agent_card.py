"""The node as ERC-8004 describes an agent: https://eips.ethereum.org/EIPS/eip-8004#registration-v1."""

from __future__ import annotations

import json

from ..node import Node


def registration(node: Node, identity: int) -> bytes:
    """The registration document (JSON), which also proves that this host speaks for the identity."""
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
