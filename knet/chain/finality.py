"""How deep a block must lie before it is believed: a chain may still settle on other blocks than its newest."""

from __future__ import annotations

from typing import Any, Literal

from web3 import Web3
from web3.types import BlockData


def confirmed_block(web3: Web3, confirmations: int | Literal["safe", "finalized"]) -> BlockData:
    """The newest block that is deep enough; on a chain that is not yet that long, its first.

    Raises what web3 and requests raise, a Web3RPCError where the RPC does not know the tag.
    """
    which: Any = confirmations
    if isinstance(confirmations, int):
        which = max(0, web3.eth.block_number - confirmations) if confirmations else "latest"
    return web3.eth.get_block(which)
