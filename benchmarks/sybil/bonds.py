"""Effect of one bond on a node's score on chain, undivided and split over accounts that spend all their influence."""

from __future__ import annotations

from knet.chain.batches import Delta
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.codec import Cid

BOND = 10**18  # wei
DEADLINE_SECONDS = 3600


def moved(chain: EvmChain, rpc: str, accounts: int) -> float:
    """Return the positive ratings of a new node by ``accounts`` that share one bond."""
    owner = new_key()
    fund(rpc, owner.address)
    node = chain.identity.register(owner, "http://127.0.0.1:1")
    for _ in range(accounts):
        rater = new_key()
        fund(rpc, rater.address)
        chain.reliability.bond(rater, BOND // accounts)
        influence = chain.reliability.stake(rater.address).influence
        delta = Delta(node=node, positive=influence, negative=0, count=-(-influence // 100))
        chain.reliability.submit(rater, bytes(32), Cid.from_digest(bytes(32)), [delta], chain.time() + DEADLINE_SECONDS)
        assert chain.reliability.stake(rater.address).influence == 0
    return chain.reliability.scores([node])[node].positive
