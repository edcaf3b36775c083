"""Finality: the newest block that a reorganisation is not expected to replace."""

from __future__ import annotations

from typing import Any, Literal

from web3 import Web3
from web3.types import BlockData


def confirmed_block(web3: Web3, confirmations: int | Literal["safe", "finalized"]) -> BlockData:
    """Return the newest block with so many blocks above it, or with this tag; on a shorter chain, its first.

    Raises the errors of web3 and requests, a Web3RPCError where the RPC does not know the tag.
    """
    identifier: Any = confirmations
    if isinstance(confirmations, int):
        identifier = max(0, web3.eth.block_number - confirmations) if confirmations else "latest"
    return web3.eth.get_block(identifier)
